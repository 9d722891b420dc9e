/**
 * @file One flipped bit in everything that a run goes on from: it must be refused or told by name, or change nothing.
 */
import { cp, readFile, rm, writeFile } from "node:fs/promises";
import { basename, dirname, join, relative } from "node:path";
import { filesBelow } from "./folder-digest.ts";
import type { Scenario, Trials } from "./scenario.ts";
import { STAGES, STARTS, type StageName, type TrainingPlaces } from "./tiny-training.ts";
import { type TrainingProcess, TrainingRun } from "./training-run.ts";
import type { Workshop } from "./workshop.ts";

/** A run that was stopped half-way, with inputs of its own. */
interface StoppedRun {
  readonly run: TrainingRun;
  /** All that it goes on from: run folder, config, data, autoencoder. */
  readonly place: string;
  /** A copy of `place` as it was. */
  readonly pristine: string;
  /** Files by what they are, by their path in `place`. */
  readonly groups: readonly (readonly [kind: string, files: readonly string[]])[];
}

async function stopHalfWay(trials: Trials, stage: StageName): Promise<StoppedRun> {
  const { workshop } = trials;
  await workshop.reference(stage);
  const place = join(trials.folder, stage);
  // An adapter names the folder of its base, so that a copy has the name of the original.
  const start = join(place, "start", basename(workshop.startOf(stage)));
  const inputs = { data: join(place, "data"), pairs: join(place, "pairs"), start };
  await copyInputs(workshop, stage, inputs);
  const run = await TrainingRun.create(trials, stage, join(place, "run"), inputs);
  const process = run.start();
  // Two checkpoints, and a step of its own at the interrupt.
  await process.until(({ type, step }) => type === "step" && step >= 5);
  process.command.kill("SIGINT");
  await process.command.ended;
  const pristine = join(trials.folder, `${stage}-pristine`);
  await cp(place, pristine, { recursive: true });
  return { run, place, pristine, groups: groupsOf(await filesBelow(place)) };
}

async function copyInputs(
  workshop: Workshop,
  stage: StageName,
  { data, pairs, start }: Pick<TrainingPlaces, "data" | "pairs" | "start">,
): Promise<void> {
  const copy = (from: string, to: string): Promise<void> => cp(from, to, { recursive: true });
  if (stage === "preference") await copy(workshop.pictures, pairs);
  else if (stage !== "reward") await copy(join(workshop.data, "train"), data);
  if (STARTS[stage] !== undefined) await copy(workshop.startOf(stage), start);
}

function groupsOf(files: readonly string[]): StoppedRun["groups"] {
  const checkpoint = /checkpoint-(\d+)/;
  const stepOf = (file: string): number => Number(checkpoint.exec(file)?.[1] ?? -1);
  const newest = Math.max(...files.map(stepOf));
  const groups = new Map<string, string[]>();
  for (const file of files) {
    const step = stepOf(file);
    const kind =
      step === newest && file.endsWith("state.json")
        ? "state.json of the newest checkpoint"
        : step === newest
          ? "the newest checkpoint"
          : step >= 0
            ? "an older checkpoint"
            : file.endsWith(".json") && dirname(file) === "."
              ? "config"
              : file.startsWith("run/")
                ? file.split("/").slice(1, -1).join("/") || basename(file)
                : dirname(file);
    groups.set(kind, [...(groups.get(kind) ?? []), file]);
  }
  return [...groups];
}

async function flipBits(trials: Trials): Promise<void> {
  const stopped: StoppedRun[] = [];
  for (const stage of STAGES) stopped.push(await stopHalfWay(trials, stage));
  const targets = stopped.flatMap((one) => one.groups.map((group) => [one, group] as const));
  for (let trial = 0; trial < trials.count; trial++) {
    const [one, [kind, files]] = targets[trial % targets.length]!;
    await restore(one);
    // Each file of a kind in turn.
    const file = files[Math.floor(trial / targets.length) % files.length]!;
    const bit = await flipOneBit(trials, join(one.place, file));
    await goOn(trials, one, { kind, file, bit });
    trials.next();
  }
}

/** @returns which. */
async function flipOneBit({ rng }: Trials, path: string): Promise<number> {
  const bytes = await readFile(path);
  // Another path in a config would be another run, and may lie anywhere.
  const paths = path.endsWith("run.json") ? (bytes.toString("latin1").match(/"\/[^"]*"/g) ?? []) : [];
  for (;;) {
    const bit = rng.below(8 * bytes.length);
    bytes[bit >> 3]! ^= 1 << (bit & 7);
    if (paths.every((one) => bytes.includes(one))) {
      await writeFile(path, bytes);
      return bit;
    }
    bytes[bit >> 3]! ^= 1 << (bit & 7);
  }
}

async function restore({ place, pristine }: StoppedRun): Promise<void> {
  await rm(place, { recursive: true, force: true });
  await cp(pristine, place, { recursive: true });
}

interface Flip {
  readonly kind: string;
  readonly file: string;
  readonly bit: number;
}

async function goOn(trials: Trials, { run, place }: StoppedRun, { kind, file, bit }: Flip): Promise<void> {
  const process: TrainingProcess = run.start();
  const { code, signal, out, err } = await process.command.ended;
  const label = `${run.stage}: a bit of ${kind}`;
  const what = `${run.stage}: bit ${bit} of ${file}`;
  if (signal !== null || /\n\s+at /.test(err)) trials.lost(`${what}: ${signal ?? err}`);
  if (code !== 0) {
    trials.outcome(`${label}: refused`);
    if (!names(err, place, file)) trials.lost(`${what}: refused without its name: ${err}`);
    return;
  }
  const reference = await trials.workshop.reference(run.stage);
  const isSame = (await trials.workshop.resultOf(run.output)).model === reference.model;
  const told = out.split("\n").filter((line) => /"type":"(?:note|faulty)"/.test(line));
  if (isSame)
    trials.outcome(
      `${label}: ${told.length > 0 ? "told, the result the same" : "harmless, the result the same"}`,
    );
  else if (told.some((line) => names(line, place, file))) trials.outcome(`${label}: told`);
  else trials.lost(`${what}: changed the result, and nothing was said`);
}

/** Whether a message says where to look: at the file, a folder or data set that it is in, or a field of the config. */
function names(text: string, place: string, file: string): boolean {
  if (file === "run.json") return /run\.json|another ".+"|: .+ before, .+ now|: /.test(text);
  const parts = [basename(file), relative(place, join(place, dirname(file)))];
  return (
    parts.some((part) => part !== "" && part !== "." && text.includes(part)) || /another "inputs\./.test(text)
  );
}

export const flipBitsScenario: Scenario = {
  name: "flip-bits",
  about: "a flipped bit in each file of checkpoints, caches, state, config, data and autoencoder",
  trials: (count) => Math.ceil(0.5 * count),
  run: flipBits,
};
