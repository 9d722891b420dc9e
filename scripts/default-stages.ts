/** @file The stages that make the default model, in order, and how far a working folder has come. */
import { readFile, stat } from "node:fs/promises";
import { join } from "node:path";

export interface DefaultStage {
  readonly name: string;
  /** What it makes, as it is announced. */
  readonly what: string;
  /** Its work in petaFLOPs; the data's is not counted. */
  readonly petaflops: number;
  /** Exists when it is done, and only then. */
  readonly result: string;
  /** Log of a run, where it keeps one. */
  readonly log?: string;
  /** Arguments of the `nextstep` command, or those of a script behind its path. */
  readonly command: readonly string[];
}

function training(
  name: string,
  kind: "autoencoder" | "model",
  what: string,
  petaflops: number,
): DefaultStage {
  return {
    ...{ name, what, petaflops },
    result: `runs/${name}/model`,
    log: `runs/${name}/log.jsonl`,
    command: ["train", kind, `configs/${name}.json`],
  };
}

/** Of the 850 best known subjects some forty are never shown to the transformer; the others are learnt. */
const DATA_OPTIONS = [
  ...["--subjects", "850", "--scenes", "0.9", "--edits", "0.6"],
  ...["--avatars", "400", "--seed", "42"],
] as const;

export const DEFAULT_STAGES: readonly DefaultStage[] = [
  {
    name: "data",
    what: "emoji pictures, scenes, edits and texts",
    petaflops: 0,
    result: "data/emoji",
    command: ["data", "emoji", "data/emoji", ...DATA_OPTIONS],
  },
  training("autoencoder", "autoencoder", "the autoencoder at a constant rate", 0.9),
  training("autoencoder-final", "autoencoder", "the autoencoder with a falling rate", 0.36),
  training("autoencoder-blocks", "autoencoder", "the decoder of pictures twice as large", 0.2),
  training("model", "model", "the transformer on single subjects", 1.6),
  training("model-second", "model", "the transformer on several at once", 1.5),
  {
    name: "publish",
    what: "the model of the package, in half precision",
    petaflops: 0,
    result: "runs/published.json",
    command: [
      "scripts/publish-model.ts",
      "runs/model-second/model",
      "--autoencoder",
      "runs/autoencoder-blocks/model",
      "--note",
      "runs/published.json",
    ],
  },
];

export interface StageState {
  readonly stage: DefaultStage;
  readonly isDone: boolean;
  /** Where a run stands that was begun and is not done. */
  readonly progress?: { readonly step: number; readonly steps: number; readonly hoursLeft: number };
}

/** How far the stages are in a working folder. */
export async function stageStates(
  folder: string,
  stages: readonly DefaultStage[] = DEFAULT_STAGES,
): Promise<StageState[]> {
  const states: StageState[] = [];
  for (const stage of stages) {
    const isDone = (await stat(join(folder, stage.result)).catch(() => undefined)) !== undefined;
    const progress =
      isDone || stage.log === undefined ? undefined : await progressOf(join(folder, stage.log));
    states.push({ stage, isDone, ...(progress === undefined ? {} : { progress }) });
  }
  return states;
}

async function progressOf(log: string): Promise<StageState["progress"]> {
  const lines = (await readFile(log, "utf8").catch(() => "")).split("\n");
  const last = lines.findLast((line) => line.includes('"type":"step"'));
  if (last === undefined) return undefined;
  const { step, steps, etaSeconds } = JSON.parse(last) as Record<string, number>;
  return { step: step!, steps: steps!, hoursLeft: etaSeconds! / 3600 };
}

/** What is told of a stage. */
export function stageLine({ stage, isDone, progress }: StageState, gigaflopsPerSecond: number): string {
  const { name, what, petaflops } = stage;
  const hours = (petaflops * 1e6) / gigaflopsPerSecond / 3600;
  const state = isDone
    ? "done"
    : progress !== undefined
      ? `step ${progress.step} of ${progress.steps}, about ${hoursText(progress.hoursLeft)} left`
      : petaflops === 0
        ? "minutes"
        : `about ${hoursText(hours)} at ${gigaflopsPerSecond} GFLOP/s`;
  return `${name.padEnd(20)} ${what}: ${state}`;
}

function hoursText(hours: number): string {
  return hours < 1 ? `${Math.ceil(hours * 60)} minutes` : `${hours.toFixed(1)} hours`;
}
