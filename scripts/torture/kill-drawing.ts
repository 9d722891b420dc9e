/** @file SIGKILL at random moments of drawing and writing pictures. */
import { rm } from "node:fs/promises";
import { join } from "node:path";
import { badFailure, RunningCommand } from "./command.ts";
import { DRAWN, DrawingReference } from "./drawing-run.ts";
import { leftBehind } from "./folder-digest.ts";
import { pause, until } from "./moment.ts";
import type { Scenario, Trials } from "./scenario.ts";
import { namesIn } from "./training-run.ts";

/** The pictures of a command are written in about this time. */
const WRITING_MS = 10;

async function killDrawing(trials: Trials): Promise<void> {
  const { rng } = trials;
  const reference = await DrawingReference.take(trials);
  const out = join(trials.folder, "pictures");
  for (let kill = 0; kill < trials.count; ) {
    await rm(out, { recursive: true, force: true });
    const command = new RunningCommand(reference.argsTo(out));
    if (rng.below(2) === 0) {
      await Promise.race([pause((n) => rng.below(n), reference.milliseconds), command.ended]);
    } else {
      // The first file is the trial whether the folder can be written to.
      await until(command, () => namesIn(out).some((name) => name.endsWith(".png")));
      await pause((n) => rng.below(n), WRITING_MS);
    }
    command.kill("SIGKILL");
    const end = await command.ended;
    const wrong = await reference.wrong(out);
    if (wrong.length > 0) trials.lost(`not whole: ${wrong.join(", ")}`);
    const count = namesIn(out).filter((name) => name.endsWith(".png")).length;
    if (end.signal !== "SIGKILL") {
      const bad = badFailure(end, [0]);
      if (bad !== undefined) trials.lost(bad);
      if (count !== DRAWN) trials.lost(`${count} of ${DRAWN} pictures`);
      continue;
    }
    trials.outcome(
      `killed with ${count === 0 ? "none" : count === DRAWN ? "all" : "some"} written, each whole`,
    );
    if ((await leftBehind(out)).length > 0) trials.outcome("killed with a hidden temporary file left");
    trials.next();
    kill++;
  }
}

export const killDrawingScenario: Scenario = {
  name: "kill-drawing",
  about: "SIGKILL while pictures are drawn and written",
  trials: (count) => Math.ceil(0.4 * count),
  run: killDrawing,
};
