/** @file The evaluation of a model that was trained on emoji data: every measure, on fixed samples, with fixed seeds. */
import { ConfigError, refuseAborted } from "../../errors.ts";
import type { DefaultSettings } from "../../generate/default-settings.ts";
import type { DrawSettings } from "../../generate/settings.ts";
import { LocalEngine } from "../../runtime/node/local-engine.ts";
import { NetFeatures } from "../net-features.ts";
import { DrawingStore } from "./drawing-store.ts";
import { editTasks } from "./edit-tasks.ts";
import { type EvaluatedModel, openEvaluated } from "./evaluated-model.ts";
import { EvaluationData } from "./evaluation-data.ts";
import { EVALUATION_SETTINGS, MEASURES, type Measure, NET_MEASURES } from "./measures.ts";
import { Copier, Drawer, type MakerOptions } from "./picture-maker.ts";
import { pictureTasks } from "./picture-tasks.ts";
import { captionTasks, tokenizerTasks } from "./reading-tasks.ts";
import type { Row } from "./row.ts";
import { netScorer, SHAPE_SCORER } from "./scorer.ts";
import type { Task } from "./task.ts";
import { Workshop } from "./workshop.ts";

export interface EvaluationOptions {
  /** Folder of a model or of an autoencoder; the package's model without it. */
  readonly model?: string;
  /** Folder that `nextstep data emoji` made. */
  readonly data: string;
  /** File of EfficientNet-lite0; what needs it is left out without. */
  readonly features?: string;
  /** Pictures of most groups; others have a multiple. */
  readonly count?: number;
  readonly seed?: number;
  /** All without it. */
  readonly only?: readonly Measure[];
  /** In place of the model's own, for drawing and editing alike. */
  readonly drawSettings?: Partial<DrawSettings>;
  /** Folder for the pictures: an evaluation that was stopped goes on with them. */
  readonly out?: string;
  readonly threads?: number;
  readonly signal?: AbortSignal;
  readonly onProgress?: (progress: EvaluationProgress) => void;
}

export interface EvaluationProgress {
  /** The group that is worked on. */
  readonly label: string;
  /** Pictures made, of all. */
  readonly done: number;
  readonly total: number;
}

export interface Evaluation {
  readonly version: 1;
  /** Name of the folder, and a digest of its files. */
  readonly model: string;
  readonly sha256: string;
  readonly parameters: EvaluatedModel["parameters"];
  /** Side of the pictures in pixels. */
  readonly side: number;
  readonly settings: DefaultSettings | null;
  readonly seed: number;
  readonly count: number;
  readonly date: string;
  readonly seconds: number;
  readonly rows: readonly Row[];
  readonly leftOut: readonly { readonly measure: string; readonly reason: string }[];
}

/**
 * Evaluates a model.
 * @throws ConfigError for options that do not fit, AbortedError when cancelled, and what reading the folders throws.
 */
export async function evaluate(options: EvaluationOptions): Promise<Evaluation> {
  const { count = EVALUATION_SETTINGS.count, seed = EVALUATION_SETTINGS.seed, signal, onProgress } = options;
  if (!Number.isInteger(count) || count < 1) {
    throw new ConfigError(`${count} pictures`, { where: "--count", remedy: "use a whole number from 1" });
  }
  const started = performance.now();
  const threads = options.threads === undefined ? {} : { threads: options.threads };
  await using engine = new LocalEngine({ ...threads, spin: false });
  // What is most likely to be mistyped comes before what takes long to read.
  const net = options.features === undefined ? undefined : await NetFeatures.open(engine, options.features);
  await using evaluated = await openEvaluated(engine, options.model, options.threads);
  await using data = await EvaluationData.open(options.data);
  const { side, model, name, sha256, parameters } = evaluated;
  const { drawSettings } = options;
  const store = await DrawingStore.open(options.out, {
    sha256,
    side,
    seed,
    ...(drawSettings === undefined ? {} : { drawSettings }),
  });

  let [done, label, total] = [0, "", 0];
  const onMade = (made: number): void => {
    done += made;
    onProgress?.({ label, done, total });
  };
  const making: MakerOptions = { side, seed, store, signal, onMade, drawSettings };
  const shop = new Workshop({
    data,
    evaluated,
    drawer: model === undefined ? undefined : new Drawer(model, making),
    copier: new Copier(evaluated.reconstructor, evaluated.weights, making),
    scorers: [...(net === undefined ? [] : [netScorer(net)]), SHAPE_SCORER],
    measures: new Set(options.only ?? MEASURES),
    count,
    seed,
    signal,
    onMade,
  });
  const tasks = [...tokenizerTasks(shop), ...pictureTasks(shop), ...editTasks(shop), ...captionTasks(shop)];
  total = tasks.reduce((sum, { pictures }) => sum + pictures, 0);
  const rows = await runTasks(tasks, signal, (task, before) => {
    label = task.name;
    done = before;
    onProgress?.({ label, done, total });
  });
  return {
    version: 1,
    model: name,
    sha256,
    parameters,
    side,
    settings:
      model === undefined
        ? null
        : {
            drawing: { ...model.defaults.drawing, ...drawSettings },
            editing: { ...model.defaults.editing, ...drawSettings },
          },
    seed,
    count,
    date: new Date().toISOString().slice(0, 10),
    seconds: Math.round((performance.now() - started) / 1000),
    rows,
    leftOut: leftOutOf(shop, rows),
  };
}

/** One after the other; `onTask` learns what the earlier ones were reckoned at. */
async function runTasks(
  tasks: readonly Task[],
  signal: AbortSignal | undefined,
  onTask: (task: Task, before: number) => void,
): Promise<Row[]> {
  const rows: Row[] = [];
  let before = 0;
  for (const task of tasks) {
    refuseAborted(signal);
    onTask(task, before);
    rows.push(...(await task.run()));
    before += task.pictures;
  }
  return rows;
}

/** What was asked for and is not in the rows, and why. */
function leftOutOf(shop: Workshop, rows: readonly Row[]): Evaluation["leftOut"] {
  const { measures, scorers, evaluated } = shop.parts;
  const hasNet = scorers.some(({ name }) => name === "net");
  const left: { measure: string; reason: string }[] = [];
  for (const measure of measures) {
    const inWords = NET_MEASURES[measure];
    if (evaluated.model === undefined && measure !== "tokenizer") {
      left.push({ measure, reason: "the folder holds an autoencoder alone, which draws nothing" });
    } else if (!rows.some((row) => isOf(row, measure)) && (inWords === undefined || hasNet)) {
      left.push({ measure, reason: "the data set holds no pictures for it" });
    } else if (inWords !== undefined && !hasNet) {
      left.push({ measure: inWords, reason: "needs the file of the feature net (--features)" });
    }
  }
  return left;
}

const MARKS: Readonly<Record<Measure, RegExp>> = {
  retrieval: /^top-/,
  "kernel-distance": /^kernel/,
  edges: /^(strong )?edges$/,
  residue: /^residue/,
  background: /^background/,
  counting: /^count/,
  objects: /^(two objects|position)/,
  edits: /^(change made|rest kept)/,
  avatars: /^colours of hair/,
  captions: /^caption/,
  tokenizer: /^PSNR/,
};

function isOf({ measure }: Row, name: Measure): boolean {
  return MARKS[name].test(measure);
}
