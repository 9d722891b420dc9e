/** @file Drawing and all kinds of training with an empty home folder, watched: no network call, no file at home. */
import { execFileSync } from "node:child_process";
import { mkdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { badFailure, type Ended, nextstep } from "./command.ts";
import { filesBelow } from "./folder-digest.ts";
import type { Scenario, Trials } from "./scenario.ts";
import { STAGES } from "./tiny-training.ts";

/** Calls that a process needs for no file and no thread; Node opens pairs of sockets to its own children. */
const NETWORK_CALL = /\b(?:connect|sendto|sendmsg|bind)\(.*AF_INET/;

/** Whether it is there and may be used. */
function hasStrace(): boolean {
  try {
    execFileSync("strace", ["-o", "/dev/null", "true"], { stdio: "ignore" });
    return true;
  } catch {
    return false;
  }
}

async function phoneHome(trials: Trials): Promise<void> {
  const { workshop, folder } = trials;
  const isTraced = hasStrace();
  trials.note(
    isTraced ? "network calls watched by strace" : "strace is not there: the home folder alone is looked at",
  );
  const watched = async (args: readonly string[]): Promise<void> => {
    const what = args.slice(0, 2).join(" ");
    const home = join(folder, `home-${what.replace(" ", "-")}`);
    const trace = `${home}.trace`;
    await mkdir(home);
    const tracer = isTraced ? ["strace", "-f", "-qq", "-e", "trace=network", "-o", trace] : [];
    const cleared = ["env", "-u", "XDG_CACHE_HOME", "-u", "ORT_DISABLE_TELEMETRY", `HOME=${home}`];
    const end: Ended = await nextstep(args, { prefix: [...cleared, ...tracer] });
    const bad = badFailure(end, [0]);
    if (bad !== undefined) trials.lost(`${what}: ${bad}`);
    const calls = isTraced ? (await readFile(trace, "utf8")).split("\n") : [];
    const call = calls.find((line) => NETWORK_CALL.test(line));
    if (call !== undefined) trials.lost(`${what}: ${call}`);
    const files = await filesBelow(home);
    if (files.length > 0) trials.lost(`${what}: left ${files.join(", ")} at home`);
    trials.outcome(`${args[0] === "train" ? what : "drawing"}: no network call, nothing at home`);
    trials.next();
  };
  await watched([
    "rain",
    "--size",
    "96x64",
    "--steps",
    "2",
    "--model",
    workshop.drawingModel,
    "--out",
    folder,
  ]);
  for (const stage of STAGES) {
    // The model is trained with the reference's autoencoder.
    await workshop.reference(stage);
    await watched(["train", stage, await workshop.writeConfig(stage, join(folder, stage))]);
  }
}

export const phoneHomeScenario: Scenario = {
  name: "phone-home",
  about: "drawing and training with an empty home folder, network calls watched",
  trials: () => 1 + STAGES.length,
  run: phoneHome,
};
