/** @file SIGKILL of drawings that keep a job, and of those that go on with one, until one comes to its end. */
import { existsSync, statSync } from "node:fs";
import { readFile, rm } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { decodeImage } from "../../src/files/decode-image.ts";
import { readJobFile } from "../../src/node/job-file.ts";
import { badFailure, type Ended, RunningCommand } from "./command.ts";
import { DrawingReference } from "./drawing-run.ts";
import { filesBelow, leftBehind } from "./folder-digest.ts";
import { pause, until } from "./moment.ts";
import type { Scenario, Trials } from "./scenario.ts";
import { namesIn } from "./training-run.ts";

const CHILD = fileURLToPath(new URL("./job-child.ts", import.meta.url));
const SIDE = 160;
const PICTURES = 2;
/** The pictures of a command are written in about this time. */
const WRITING_MS = 10;

/** Of one drawing. */
const MOST_KILLS = 4;

/** Where one drawing keeps what. */
interface Places {
  readonly job: string;
  readonly out: string;
  readonly preview: string;
}

async function killJob(trials: Trials): Promise<void> {
  const { rng, folder } = trials;
  const reference = await DrawingReference.take(trials, { size: `${SIDE}x${SIDE}`, count: PICTURES });
  const places: Places = {
    job: join(folder, "rain.job"),
    out: join(folder, "pictures"),
    preview: join(folder, "preview.png"),
  };
  for (let kills = 0; kills < trials.count; ) {
    for (const path of Object.values(places)) await rm(path, { recursive: true, force: true });
    let drawn = 0;
    let command =
      rng.below(2) === 0 ? teller(trials, places, (token) => (drawn = token)) : drawer(reference, places);
    for (let left = 1 + rng.below(MOST_KILLS); ; left--) {
      const kind = left > 0 && kills < trials.count ? await killSoon(trials, command, places, reference) : "";
      const end = await command.ended;
      if (end.signal !== "SIGKILL") {
        await checkFinished(trials, end, places, reference);
        break;
      }
      trials.outcome(kind);
      await checkLeft(trials, places, reference);
      trials.next();
      kills++;
      if (!existsSync(places.job)) break;
      const least = Math.max(drawn - 1, await tokensIn(places.job));
      drawn = 0;
      command = new RunningCommand(["resume", places.job, "--model", trials.workshop.drawingModel]);
      void command.ended.then((next) => checkReport(trials, next, least));
    }
  }
}

function drawer(reference: DrawingReference, { job, out, preview }: Places): RunningCommand {
  return new RunningCommand([...reference.argsTo(out), "--job", job, "--preview-file", preview]);
}

function teller(
  { workshop }: Trials,
  { job, out }: Places,
  onToken: (token: number) => void,
): RunningCommand {
  return new RunningCommand([workshop.drawingModel, job, out, String(SIDE), String(PICTURES)], {
    program: [process.execPath, "--import", import.meta.resolve("tsx"), CHILD],
    onLine: (line) => onToken(Number(line)),
  });
}

/** @returns when it was killed, for the report. */
async function killSoon(
  { rng }: Trials,
  command: RunningCommand,
  { job, out }: Places,
  reference: DrawingReference,
): Promise<string> {
  const size = (): number => statSync(job, { throwIfNoEntry: false })?.size ?? 0;
  const below = (n: number): number => rng.below(n);
  const kind = below(3);
  if (kind === 0) await Promise.race([pause(below, reference.milliseconds), command.ended]);
  if (kind === 1) {
    await until(command, () => size() > 0);
    const wanted = size() + below(60_000);
    await until(command, () => size() > wanted);
  }
  if (kind === 2) {
    await until(command, () => namesIn(out).some((name) => name.endsWith(".png")));
    await pause(below, WRITING_MS);
  }
  command.kill("SIGKILL");
  return ["killed at any time", "killed while its job was written", "killed while pictures were saved"][
    kind
  ]!;
}

async function tokensIn(path: string): Promise<number> {
  const { job } = await readJobFile(path);
  return Math.min(...job.pictures.map(({ tokens }) => tokens.length / job.tokenWidth));
}

/** A killed process leaves a job that can be read, pictures that are whole, and a preview that is. */
async function checkLeft(
  trials: Trials,
  { job, out, preview }: Places,
  reference: DrawingReference,
): Promise<void> {
  if (existsSync(job))
    await tokensIn(job).catch((error: unknown) => trials.lost(`the job: ${String(error)}`));
  const wrong = await reference.wrong(out);
  if (wrong.length > 0) trials.lost(`not whole: ${wrong.join(", ")}`);
  if (!existsSync(preview)) return;
  await decodeImage(await readFile(preview), preview).catch((error: unknown) =>
    trials.lost(`the preview: ${String(error)}`),
  );
}

/** A process that went on says behind which token: no more than one that was drawn may be missing. */
function checkReport(trials: Trials, { err, signal }: Ended, least: number): void {
  const told = /going on behind token (\d+) of/.exec(err)?.[1];
  if (told === undefined) {
    if (signal === null) trials.lost(`does not say where it goes on: ${err}`);
  } else if (Number(told) < least) trials.lost(`goes on behind token ${told}, not ${least}`);
}

async function checkFinished(
  trials: Trials,
  end: Ended,
  { job, out }: Places,
  reference: DrawingReference,
): Promise<void> {
  // The child that tells its tokens saves no pictures: it was killed too late.
  if (end.code === 0 && existsSync(job)) return;
  const bad = badFailure(end, [0]);
  if (bad !== undefined) trials.lost(bad);
  const names = (await filesBelow(out)).filter((name) => name.endsWith(".png"));
  const expected = [...reference.digests.keys()];
  if (names.join() !== expected.join()) trials.lost(`${names.join(", ")} in place of ${expected.join(", ")}`);
  const wrong = await reference.wrong(out);
  if (wrong.length > 0) trials.lost(`other pictures: ${wrong.join(", ")}`);
  if (existsSync(job)) trials.lost("the job is still there");
  const locks = (await leftBehind(trials.folder)).filter((name) => name.includes(".lock-"));
  if (locks.length > 0) trials.lost(`left behind ${locks.join(", ")}`);
  trials.outcome("came to its end, to the same bytes");
}

export const killJobScenario: Scenario = {
  name: "kill-job",
  about:
    "SIGKILL of drawings that keep a job and of `resume`, inside its writes and while pictures are saved",
  trials: (count) => Math.ceil(0.5 * count),
  run: killJob,
};
