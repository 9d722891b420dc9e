/** @file A disk that fills up while a stage trains, pictures are written, data are built. */
import { rm, stat } from "node:fs/promises";
import { join } from "node:path";
import { badFailure, type Ended, nextstep } from "./command.ts";
import { DRAWN, DrawingReference } from "./drawing-run.ts";
import { filesBelow, folderDigest, leftBehind } from "./folder-digest.ts";
import type { Scenario, Trials } from "./scenario.ts";
import { type SmallDisk, smallDisk } from "./small-disk.ts";
import type { StageName } from "./tiny-training.ts";
import { namesIn, TrainingRun } from "./training-run.ts";

/** Files take whole pages. */
const PAGE = 4096;

/** What a folder takes on the disk. */
async function sizeOf(folder: string): Promise<number> {
  let bytes = 0;
  for (const name of await filesBelow(folder)) {
    bytes += Math.ceil((await stat(join(folder, name))).size / PAGE) * PAGE;
  }
  return bytes;
}

/** Checks the message of a command that found no room. */
function checkMessage(trials: Trials, disk: SmallDisk, what: string, end: Ended): void {
  const bad = badFailure(end, [1]);
  if (bad !== undefined) trials.lost(`${what}: ${bad}`);
  else if (!disk.reason.test(end.err) || !end.err.includes(disk.path)) {
    trials.lost(`${what}: names no path or another reason: ${end.err}`);
  }
}

async function checkLeft(trials: Trials, folder: string, what: string): Promise<void> {
  const left = await leftBehind(folder);
  if (left.length > 0) trials.lost(`${what}: left behind ${left.join(", ")}`);
}

async function training(trials: Trials, disk: SmallDisk, stage: StageName): Promise<void> {
  await trials.workshop.reference(stage);
  const output = join(disk.path, stage);
  const need = await sizeOf(join(trials.workshop.folder, `reference-${stage}`));
  const run = await TrainingRun.create(trials, stage, output);
  // A checkpoint more than stays is on the disk for a moment.
  const process = run.start(disk.leave(trials.rng.below(need)));
  const end = await process.command.ended;
  run.learn(process);
  disk.release();
  if (end.code === 0) {
    trials.outcome(`${stage}: had room enough`);
    await run.checkFinished(end);
  } else {
    checkMessage(trials, disk, stage, end);
    await checkLeft(trials, output, stage);
    trials.outcome(`${stage}: refused by name, then ended with the bits of an undisturbed run`);
    await run.finish();
  }
}

async function drawing(trials: Trials, disk: SmallDisk, reference: DrawingReference): Promise<void> {
  const out = join(disk.path, "pictures");
  const need = await sizeOf(join(trials.folder, "reference"));
  const end = await nextstep([...reference.argsTo(out), "--json"], {
    prefix: disk.leave(trials.rng.below(need + PAGE)),
  });
  disk.release();
  const wrong = await reference.wrong(out);
  if (wrong.length > 0) trials.lost(`drawing: not whole: ${wrong.join(", ")}`);
  const saved = namesIn(out).filter((name) => name.endsWith(".png")).length;
  if (end.code === 0 && saved === DRAWN) trials.outcome("drawing: had room enough");
  else {
    checkMessage(trials, disk, "drawing", end);
    const told = end.out === "" ? 0 : (JSON.parse(end.out) as { pictures: unknown[] }).pictures.length;
    if (told !== saved) trials.lost(`drawing: ${saved} pictures are saved and ${told} told`);
    trials.outcome(
      `drawing: refused by name, with ${saved === 0 ? "none" : "what found room"} saved and told`,
    );
  }
  await checkLeft(trials, out, "drawing");
}

async function building(trials: Trials, disk: SmallDisk, whole: string): Promise<void> {
  const { pictures, data } = trials.workshop;
  const out = join(disk.path, "data");
  const prefix = disk.leave(trials.rng.below((await sizeOf(data)) + PAGE));
  const end = await nextstep(["data", "build", pictures, out, "--held-out", "0.2"], { prefix });
  disk.release();
  if (end.code === 0) {
    if ((await folderDigest(out)) !== whole) trials.lost("data build: another data set");
    trials.outcome("data build: had room enough");
  } else {
    checkMessage(trials, disk, "data build", end);
    if (namesIn(disk.path).some((name) => name !== "ballast")) {
      trials.lost(`data build: left behind ${namesIn(disk.path).join(", ")}`);
    }
    trials.outcome("data build: refused by name, nothing left");
  }
}

async function fillDisk(trials: Trials): Promise<void> {
  using disk = smallDisk(join(trials.folder, "disk"));
  trials.note(`small disk: ${disk.how}`);
  const reference = await DrawingReference.take(trials);
  const whole = await folderDigest(trials.workshop.data);
  const kinds = [
    () => training(trials, disk, "autoencoder"),
    () => training(trials, disk, "model"),
    () => drawing(trials, disk, reference),
    () => building(trials, disk, whole),
  ];
  for (let trial = 0; trial < trials.count; trial++) {
    await kinds[trial % kinds.length]!();
    for (const name of namesIn(disk.path)) await rm(join(disk.path, name), { recursive: true, force: true });
    trials.next();
  }
}

export const fullDiskScenario: Scenario = {
  name: "full-disk",
  about: "a disk that is full at a random moment of training, drawing and building data",
  trials: (count) => 4 * Math.ceil(count / 16),
  run: fillDisk,
};
