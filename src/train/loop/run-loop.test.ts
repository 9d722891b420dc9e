/** @file The training loop on a least-squares problem: accumulation, clipping, averages, stopping and going on. */
import { mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { AbortedError, ConfigError } from "../../errors.ts";
import { addSums, type GradientReducer } from "../objective/gradient-reducer.ts";
import type { LossSums, StepPlan, StepPlanner } from "../objective/objective.ts";
import { adamW } from "../optimizer/adamw.ts";
import { accumulateGradient, type Trainable, trainable } from "../optimizer/trainable.ts";
import type { JsonValue } from "../plain-json.ts";
import { randomFor } from "../step-random.ts";
import { maskedCrc } from "./event-file.ts";
import { type LoopOptions, runTraining as train } from "./run-loop.ts";
import { type LoopConfig, loopSchema } from "./train-config.ts";
import type { TrainEvent } from "./train-events.ts";
import type { TrainStage } from "./train-stage.ts";

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "loop-"));
});
afterEach(() => rm(folder, { recursive: true }));

const TARGET = [3, -1, 0.5];

interface TargetPlan extends StepPlan {
  readonly step: number;
  /** Noise of each part. */
  readonly noise: readonly (readonly number[])[];
}

/** Pulls three weights towards a noisy target; remembers how many parts it planned. */
class TargetStage implements TrainStage<TargetPlan> {
  readonly trainables: readonly Trainable[] = [trainable("w", [3], new Float32Array(3))];
  readonly optimizer = adamW([{ parameters: this.trainables, learningRate: 0.2, weightDecay: 0 }], {
    betas: [0.9, 0.99],
    epsilon: 1e-8,
  });
  readonly identity: JsonValue = { stage: "target" };
  adjustable: JsonValue = { steps: 20 };
  readonly learningRate = 0.2;
  readonly parts: number;
  visits = 0;
  readonly planner: StepPlanner<TargetPlan> = {
    plan: async (step) => {
      const noise = Array.from({ length: this.parts }, () => {
        const rng = randomFor(1, "noise", this.visits++, 0);
        return TARGET.map(() => rng.normal());
      });
      return { step, parts: this.parts, images: 4 * this.parts, noise };
    },
    metrics: (_plan, { loss }) => ({ half: loss / 2 }),
    position: () => this.visits,
    restorePosition: (position) => {
      this.visits = Number(position);
    },
  };

  constructor(parts = 1) {
    this.parts = parts;
  }

  async compute({ step, parts, noise }: TargetPlan, part: number, isFirst: boolean) {
    const [weight] = this.trainables as [Trainable];
    const error = TARGET.map((target, i) => weight.data[i]! - target + 0.1 * noise[part]![i]!);
    accumulateGradient(
      weight.gradient,
      Float32Array.from(error, (e) => e / parts),
      isFirst,
    );
    const loss = (0.5 * error.reduce((sum, e) => sum + e * e, 0)) / parts;
    return { loss: step === this.failAt ? Number.NaN : loss };
  }

  failAt = -1;

  async validate(weights: readonly { readonly data: Float32Array }[]) {
    return { first: weights[0]!.data[0]! };
  }

  async drawSamples() {
    return Uint8Array.of(1, 2, 3);
  }

  async writeModel(path: string, weights: readonly { readonly data: Float32Array }[]) {
    await writeFile(join(path, "weights.json"), JSON.stringify([...weights[0]!.data]));
  }
}

const config = (fields: Partial<LoopConfig> = {}): LoopConfig =>
  loopSchema.parse({ saveEvery: 5, ...fields });

const runTraining = (
  stage: TargetStage,
  options: Omit<LoopOptions, "settings"> & Partial<Pick<LoopOptions, "settings">>,
) => train(stage, { settings: { rate: stage.learningRate }, ...options });

async function trainedWeights(output: string): Promise<number[]> {
  return JSON.parse(await readFile(join(output, "model", "weights.json"), "utf8"));
}

describe("runTraining", () => {
  it("trains, reports, saves and leaves a model", async () => {
    const events: TrainEvent[] = [];
    const stage = new TargetStage();
    const result = await runTraining(stage, {
      config: config({ validateEvery: 20, sampleEvery: 30, keep: 2, saveEvery: 20 }),
      steps: 80,
      output: folder,
      onEvent: (event) => events.push(event),
    });
    expect(result).toEqual({ step: 80, model: join(folder, "model") });
    (await trainedWeights(folder)).forEach((value, i) => {
      expect(Math.abs(value - TARGET[i]!)).toBeLessThan(0.2);
    });
    const ofType = (type: TrainEvent["type"]) => events.filter((event) => event.type === type);
    expect(ofType("step")).toHaveLength(80);
    expect(ofType("validation").map(({ step }) => step)).toEqual([0, 20, 40, 60, 80]);
    expect(ofType("samples").map(({ step }) => step)).toEqual([30, 60, 80]);
    expect((await readdir(join(folder, "checkpoints"))).sort()).toEqual(["checkpoint-60", "checkpoint-80"]);
    expect(ofType("step").at(-1)).toMatchObject({ images: 320, steps: 80, etaSeconds: 0 });
    const last = ofType("step").at(-1) as Extract<TrainEvent, { type: "step" }>;
    expect(last.metrics.half).toBeCloseTo(last.loss / 2, 10);
    const log = (await readFile(join(folder, "log.jsonl"), "utf8")).trimEnd().split("\n");
    // All but "start": a continued run leaves the log of an uninterrupted one.
    expect(log).toHaveLength(events.length - 1);
  });

  it("stopped and started again, ends with the same bits", async () => {
    const settings = config({ ema: 0.9, saveEvery: 3 });
    const straight = join(folder, "straight");
    await runTraining(new TargetStage(2), { config: settings, steps: 20, output: straight });

    const output = join(folder, "stopped");
    const controller = new AbortController();
    const stopped = runTraining(new TargetStage(2), {
      config: settings,
      steps: 20,
      output,
      signal: controller.signal,
      onEvent: (event) => {
        if (event.type === "step" && event.step === 7) controller.abort();
      },
    });
    await expect(stopped).rejects.toThrow(AbortedError);
    expect(await readdir(join(output, "checkpoints"))).toContain("checkpoint-7");
    const events: TrainEvent[] = [];
    await runTraining(new TargetStage(2), {
      config: settings,
      steps: 20,
      output,
      onEvent: (event) => events.push(event),
    });
    expect(events[0]).toMatchObject({ type: "start", step: 7 });
    expect(await trainedWeights(output)).toEqual(await trainedWeights(straight));
    const state = (path: string) =>
      readFile(join(path, "checkpoints/checkpoint-20/training/state.safetensors"));
    expect((await state(output)).equals(await state(straight))).toBe(true);
  });

  it("does not write a step again that is saved", async () => {
    const settings = { config: config({ saveEvery: 5 }), steps: 20, output: folder };
    const train = async (stopAt: number): Promise<TrainEvent[]> => {
      const controller = new AbortController();
      if (stopAt === 0) controller.abort();
      const events: TrainEvent[] = [];
      const onEvent = (event: TrainEvent): void => {
        events.push(event);
        if (event.type === "step" && event.step === stopAt) controller.abort();
      };
      const stopped = runTraining(new TargetStage(), { ...settings, signal: controller.signal, onEvent });
      await expect(stopped).rejects.toThrow(AbortedError);
      return events.filter(({ type }) => type === "checkpoint");
    };
    // The interrupt comes in a step after which a save is due anyway, then before any step.
    expect(await train(5)).toHaveLength(1);
    expect(await train(0)).toEqual([]);
  });

  it("tells a changed setting when it goes on, and goes on to more steps", async () => {
    const settings = { config: config(), output: folder };
    await runTraining(new TargetStage(), { ...settings, steps: 20 });
    const stage = new TargetStage();
    stage.adjustable = { steps: 25 };
    const events: TrainEvent[] = [];
    const onEvent = (event: TrainEvent): void => void events.push(event);
    expect(await runTraining(stage, { ...settings, steps: 25, onEvent })).toMatchObject({ step: 25 });
    const text = "the run is continued with another setting: steps: 20 before, 25 now";
    expect(events).toContainEqual({ type: "note", step: 20, text });
    expect(await readFile(join(folder, "log.jsonl"), "utf8")).toContain(text);
  });

  it("keeps the best checkpoint by validation beside the newest, over a restart", async () => {
    class JudgedStage extends TargetStage {
      readonly judgement = { metric: "distance", better: "lower" } as const;
    }
    const settings = {
      config: config({ validateEvery: 1, keep: 1, saveEvery: 4, ema: 0.5 }),
      steps: 12,
      output: folder,
    };
    const figures = [5, 4, 6, 3, 7, 8, 2, 4, 5, 6, 7, 8];
    const trainTo = async (stopAt: number): Promise<TrainEvent[]> => {
      const stage = new JudgedStage();
      const controller = new AbortController();
      const events: TrainEvent[] = [];
      stage.validate = async (weights) => {
        const isAverage = weights[0]!.data !== stage.trainables[0]!.data;
        const step = events.findLast(({ type }) => type === "step")?.step;
        // What it began with is better than all that comes, and no checkpoint.
        if (step === undefined) return { first: 0, distance: 1 };
        return { first: 0, distance: isAverage ? figures[step - 1]! : step };
      };
      const onEvent = (event: TrainEvent): void => {
        events.push(event);
        if (event.type === "step" && event.step === stopAt) controller.abort();
      };
      const run = runTraining(stage, { ...settings, signal: controller.signal, onEvent });
      await run.catch((error: unknown) => expect(error).toBeInstanceOf(AbortedError));
      return events.filter(({ type }) => type === "best");
    };
    const names = async () => (await readdir(join(folder, "checkpoints"))).sort();
    expect((await trainTo(5)).map(({ step }) => step)).toEqual([1, 2, 4]);
    expect(await names()).toEqual(["best-4", "checkpoint-5"]);
    const [best] = await trainTo(9);
    expect(best).toMatchObject({ step: 7, metric: "ema/distance", value: 2 });
    expect(await trainTo(99)).toEqual([]);
    expect(await names()).toEqual(["best-7", "checkpoint-12"]);
    const files = await readdir(join(folder, "checkpoints", "best-7"), { recursive: true });
    expect(files).toEqual(expect.arrayContaining(["weights.json", join("raw", "weights.json")]));
  });

  it("writes the weights and their average, wherever it writes a model", async () => {
    const stage = new TargetStage();
    await runTraining(stage, { config: config({ ema: 0.9 }), steps: 5, output: folder });
    const read = async (path: string) =>
      JSON.parse(await readFile(join(folder, path, "weights.json"), "utf8"));
    for (const path of ["model", "checkpoints/checkpoint-5"]) {
      expect(await read(join(path, "raw"))).toEqual([...stage.trainables[0]!.data]);
      expect(await read(path)).not.toEqual(await read(join(path, "raw")));
    }
  });

  it("leaves its settings, curves and event files for people and their tools", async () => {
    const settings = { config: config({ tensorBoard: true, validateEvery: 5 }), output: folder };
    await runTraining(new TargetStage(), { ...settings, steps: 6, settings: { steps: 6 } });
    await runTraining(new TargetStage(), { ...settings, steps: 8, settings: { steps: 8 } });
    const copies = join(folder, "configs");
    expect((await readdir(copies)).sort()).toEqual(["from-step-0000000.json", "from-step-0000006.json"]);
    expect(JSON.parse(await readFile(join(copies, "from-step-0000006.json"), "utf8"))).toEqual({ steps: 8 });
    const page = await readFile(join(folder, "curves.html"), "utf8");
    expect([...page.matchAll(/<h2>(.*?)<\/h2>/g)].map(([, figure]) => figure)).toEqual([
      "loss",
      "half",
      "first",
      "rate",
    ]);
    const board = (await readdir(join(folder, "tensorboard"))).sort();
    expect(board).toHaveLength(2);
    // The second file begins with its version, then says that step 7 and later ones are taken again.
    const restart = Buffer.from("10073a020801", "hex");
    const files = await Promise.all(board.map((name) => readFile(join(folder, "tensorboard", name))));
    expect(files.map((bytes) => bytes.includes(restart))).toEqual([false, true]);
    const tags = await Promise.all(board.map((name) => tagsOf(join(folder, "tensorboard", name))));
    const figures = ["loss", "half", "rate", "gradient_norm", "images_per_second"].map(
      (name) => `train/${name}`,
    );
    expect(new Set(tags[0])).toEqual(new Set([...figures, "validation/first"]));
    expect(tags.map((list) => list.filter((tag) => tag === "train/loss").length)).toEqual([6, 2]);
  });

  it("sums the shares of all parts", async () => {
    const stage = new TargetStage(3);
    const events: TrainEvent[] = [];
    await runTraining(stage, {
      config: config(),
      steps: 1,
      output: folder,
      onEvent: (event) => events.push(event),
    });
    expect(stage.visits).toBe(3);
    const [weight] = stage.trainables as [Trainable];
    const norm = Math.hypot(...weight.gradient);
    const update = events.find(({ type }) => type === "step");
    expect(update).toMatchObject({ images: 12, gradientNorm: norm });
    // The first moment after one update is a tenth of the gradient, clipped to norm 1.
    stage.optimizer.buffers[0]!.data.forEach((value, i) => {
      expect(value).toBeCloseTo((0.1 * weight.gradient[i]!) / norm, 5);
    });
  });

  it("divides the parts among ranks, whatever their number, without changing the update", async () => {
    const train = async (ranks: number, parts: number) => {
      const stages = Array.from({ length: ranks }, () => new TargetStage(parts));
      const reducers = ranksOf(ranks);
      await Promise.all(
        stages.map((stage, rank) =>
          runTraining(stage, {
            config: config(),
            steps: 12,
            output: join(folder, `${ranks}-${rank}`),
            reducer: reducers[rank]!,
          }),
        ),
      );
      return stages.map(({ trainables }) => [...trainables[0]!.data]);
    };
    const [alone] = await train(1, 2);
    // The third rank has no part.
    expect(await train(3, 2)).toEqual([alone, alone, alone]);
  });

  it("stops at a loss that is no number, before it reaches the weights", async () => {
    const stage = new TargetStage();
    stage.failAt = 6;
    const failing = runTraining(stage, { config: config(), steps: 20, output: folder });
    await expect(failing).rejects.toThrow(ConfigError);
    expect(stage.trainables[0]!.data.every(Number.isFinite)).toBe(true);
    expect(await readdir(join(folder, "checkpoints"))).toEqual(["checkpoint-5"]);
  });
});

/** Tags of the scalars in an event file, walked record by record: every length and both check sums must be right. */
async function tagsOf(path: string): Promise<string[]> {
  const bytes = await readFile(path);
  const tags: string[] = [];
  for (let at = 0; at < bytes.length; ) {
    const length = Number(bytes.readBigUInt64LE(at));
    const data = bytes.subarray(at + 12, at + 12 + length);
    expect(bytes.readUInt32LE(at + 8)).toBe(maskedCrc(bytes.subarray(at, at + 8)));
    expect(bytes.readUInt32LE(at + 12 + length)).toBe(maskedCrc(data));
    tags.push(...(data.toString("latin1").match(/(?:train|validation)\/\w+/g) ?? []));
    at += 16 + length;
  }
  return tags;
}

/** Ranks of one process that wait for each other and sum in the order of ranks. */
function ranksOf(ranks: number): GradientReducer[] {
  let arrived: { trainables: readonly Trainable[]; sums: LossSums; resolve: (sums: LossSums) => void }[] = [];
  const finish = (): void => {
    const all = arrived;
    arrived = [];
    const sums = all.map((one) => one.sums).reduce(addSums);
    all[0]!.trainables.forEach(({ gradient }, index) => {
      for (const other of all.slice(1))
        accumulateGradient(gradient, other.trainables[index]!.gradient, false);
      for (const other of all.slice(1)) other.trainables[index]!.gradient.set(gradient);
    });
    for (const { resolve } of all) resolve(sums);
  };
  return Array.from({ length: ranks }, (_, rank) => ({
    rank,
    ranks,
    reduce: (trainables, sums) =>
      new Promise<LossSums>((resolve) => {
        arrived[rank] = { trainables, sums, resolve };
        if (Object.keys(arrived).length === ranks) finish();
      }),
  }));
}
