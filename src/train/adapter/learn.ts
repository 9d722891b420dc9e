/** @file Learning a thing from a few pictures of it: an adapter with settings that suit the model of this package. */
import { readdir, rename, rm, stat } from "node:fs/promises";
import { join } from "node:path";
import { ADAPTER_WEIGHTS_FILE } from "../../checkpoint/adapter/adapter-folder.ts";
import { InputError } from "../../errors.ts";
import { makeFolder } from "../../files/make-folder.ts";
import type { Model } from "../../generate/model.ts";
import { TarDataset } from "../data/dataset-reader.ts";
import { parseTrainConfig } from "../loop/train-config.ts";
import type { TrainEvent } from "../loop/train-events.ts";
import { writeFolder } from "../loop/written-folder.ts";
import { adapterTrainConfigSchema } from "./adapter-train-config.ts";
import { KNOWN_DATA, OWN_DATA, type OwnData, writeKnownData, writeOwnData } from "./learn-data.ts";
import { trainAdapter } from "./train-adapter.ts";

/** Measured on the default model with `npm run measure-learning` (docs/adapters.md). */
export const LEARN_DEFAULTS = Object.freeze({
  steps: 960,
  rank: 16,
  alpha: 16,
  learningRate: 2e-3,
  known: 256,
});

const BATCH = 8;
/** With it the model's own pictures change less, at the same cost (docs/adapters.md). */
const KNOWN_WEIGHT = 12;
const WORK = ".learning";

export interface LearnOptions {
  /** Folder with the pictures, each with a caption beside it or without. */
  readonly folder: string;
  /** What the thing is called in captions that are made for it. */
  readonly word: string;
  /** Folder to make: the adapter. One in which learning was stopped is continued. */
  readonly out: string;
  /** Folder of the model. */
  readonly base: string;
  /** Opens that model, which tells its size and draws what it knows; closed here before training. */
  readonly open: () => Promise<Model>;
  /** Default: as LEARN_DEFAULTS, as the others. */
  readonly steps?: number;
  readonly rank?: number;
  readonly learningRate?: number;
  /** Pictures of what the model knows; 0 for none. */
  readonly known?: number;
  readonly seed?: number;
  readonly threads?: number;
  readonly checkMemory?: boolean;
  readonly signal?: AbortSignal;
  readonly onData?: (own: OwnData) => void;
  readonly onDrawn?: (progress: { readonly done: number; readonly total: number }) => void;
  readonly onEvent?: (event: TrainEvent) => void;
}

export interface Learnt {
  readonly folder: string;
  readonly pictures: number;
  /** Drawn by the model. */
  readonly known: number;
  readonly steps: number;
}

/**
 * Learns; stopped and called again, it goes on.
 * @throws InputError for a folder of too few or too many pictures, or an `out` that holds something else;
 * InsufficientMemoryError; AbortedError.
 */
export async function learn(options: LearnOptions): Promise<Learnt> {
  const { out, base, signal } = options;
  const { steps, rank, alpha, learningRate } = { ...LEARN_DEFAULTS, ...given(options) };
  const seed = options.seed ?? 0;
  await refuseOther(out);
  const work = join(out, WORK);
  const { imageSize, own, known } = await prepare(options, work, seed);
  const data = [
    // Nothing is learnt of pictures without a caption: guidance compares with those, whatever is asked for.
    { path: join(work, OWN_DATA), samples: 1, dropCaption: 0 },
    ...(known === 0
      ? []
      : [{ path: join(work, KNOWN_DATA), samples: 1, asBase: true, asBaseWeight: KNOWN_WEIGHT }]),
  ];
  const config = parseTrainConfig(
    adapterTrainConfigSchema,
    {
      ...{ output: join(work, "run"), base, data, steps, seed, batch: BATCH, packing: null },
      ...{ imageSize, aspectBuckets: false, captions: "weighted", dropText: 0 },
      // Its words need not be predicted to be drawn.
      ...{ dropCaption: 0.2, readNoise: 0.5, lmLossWeight: 0 },
      adapter: { rank, alpha },
      optimizer: { learningRate, weightDecay: 0, betas: [0.9, 0.95] },
      loop: {
        schedule: { name: "cosine", warmupSteps: Math.min(10, Math.floor(steps / 4)), finalFactor: 0.02 },
        ...{ saveEvery: 60, validateEvery: 0, sampleEvery: 0, keep: 1 },
      },
      engine: { threads: options.threads ?? null },
      checkMemory: options.checkMemory !== false,
    },
    "learn",
  );
  const { onEvent } = options;
  const { model } = await trainAdapter(config, {
    ...(signal === undefined ? {} : { signal }),
    ...(onEvent === undefined ? {} : { onEvent }),
  });
  for (const name of await readdir(model)) await rename(join(model, name), join(out, name));
  await rm(work, { recursive: true });
  return { folder: out, pictures: own.pictures, known, steps };
}

function given({ steps, rank, learningRate }: LearnOptions) {
  return {
    ...(steps === undefined ? {} : { steps }),
    ...(rank === undefined ? {} : { rank, alpha: rank }),
    ...(learningRate === undefined ? {} : { learningRate }),
  };
}

interface Prepared {
  /** Side of the square pictures that the model was trained on. */
  readonly imageSize: number;
  readonly own: OwnData;
  /** Pictures of what the model knows. */
  readonly known: number;
}

/** Both data sets, below `work`. The model is opened first, so that one that cannot be leaves nothing behind. */
async function prepare(options: LearnOptions, work: string, seed: number): Promise<Prepared> {
  const { folder, word, signal } = options;
  await using model = await options.open();
  await makeFolder(work);
  // Packed anew each time, which takes a moment: a picture that was changed shows as other data.
  let told: OwnData | undefined;
  await writeFolder(join(work, OWN_DATA), async (partial) => {
    told = await writeOwnData(folder, word, partial, new Set(model.trained.words), signal);
  });
  const own = told as OwnData;
  options.onData?.(own);
  const known = await knownData(model, options, join(work, KNOWN_DATA), seed);
  return { imageSize: model.size[0], own, known };
}

/** Drawn once: it takes as long as a good part of the training. */
async function knownData(
  model: Model,
  { known: count = LEARN_DEFAULTS.known, signal, onDrawn }: LearnOptions,
  target: string,
  seed: number,
): Promise<number> {
  if (count === 0) return 0;
  if ((await stat(target).catch(() => undefined)) !== undefined) {
    await using drawnBefore = await TarDataset.open(target);
    return drawnBefore.length;
  }
  if ((model.trained.subjects ?? []).length === 0) return 0;
  let drawn = 0;
  await writeFolder(target, async (partial) => {
    drawn = await writeKnownData(model, partial, {
      ...{ count, seed, signal },
      ...(onDrawn === undefined ? {} : { onProgress: onDrawn }),
    });
  });
  return drawn;
}

async function refuseOther(out: string): Promise<void> {
  const names = await readdir(out).catch((): string[] => []);
  if (names.length === 0 || names.includes(WORK)) return;
  const isAdapter = (await stat(join(out, ADAPTER_WEIGHTS_FILE)).catch(() => undefined)) !== undefined;
  throw new InputError(isAdapter ? "holds an adapter already" : "is not empty", {
    where: out,
    remedy: "name a new folder (--out)",
  });
}
