/** @file The training loop on a least-squares problem: accumulation, clipping, averages, stopping and going on. */
import { mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { AbortedError, ConfigError } from "../../errors.ts";
import { adamW } from "../optimizer/adamw.ts";
import { accumulateGradient, type Trainable, trainable } from "../optimizer/trainable.ts";
import { randomFor } from "../step-random.ts";
import { runTraining, type TrainStage } from "./run-loop.ts";
import { type LoopConfig, loopSchema } from "./train-config.ts";
import type { TrainEvent } from "./train-events.ts";
import type { JsonValue } from "./train-state.ts";

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "loop-"));
});
afterEach(() => rm(folder, { recursive: true }));

const TARGET = [3, -1, 0.5];

/** Pulls three weights towards a noisy target; remembers how many batches it gave. */
class TargetStage implements TrainStage {
  readonly trainables: readonly Trainable[] = [trainable("w", [3], new Float32Array(3))];
  readonly optimizer = adamW([{ parameters: this.trainables, learningRate: 0.2, weightDecay: 0 }], {
    betas: [0.9, 0.99],
    epsilon: 1e-8,
  });
  readonly identity: JsonValue = { stage: "target" };
  visits = 0;

  position(): JsonValue {
    return this.visits;
  }

  restorePosition(position: JsonValue): void {
    this.visits = Number(position);
  }

  async runBatch(step: number, batch: number) {
    const rng = randomFor(1, "noise", this.visits++, 0);
    const [weight] = this.trainables as [Trainable];
    const error = TARGET.map((target, i) => weight.data[i]! - target + 0.1 * rng.normal());
    accumulateGradient(weight.gradient, Float32Array.from(error), batch === 0);
    const loss = 0.5 * error.reduce((sum, e) => sum + e * e, 0);
    return { loss: step === this.failAt ? Number.NaN : loss, metrics: { half: loss / 2 }, images: 4 };
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
      expect(value).toBeCloseTo(TARGET[i]!, 0);
    });
    const ofType = (type: TrainEvent["type"]) => events.filter((event) => event.type === type);
    expect(ofType("step")).toHaveLength(80);
    expect(ofType("validation").map(({ step }) => step)).toEqual([20, 40, 60, 80]);
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
    const settings = config({ ema: 0.9, accumulate: 2, saveEvery: 3 });
    const straight = join(folder, "straight");
    await runTraining(new TargetStage(), { config: settings, steps: 20, output: straight });

    const output = join(folder, "stopped");
    const controller = new AbortController();
    const stopped = runTraining(new TargetStage(), {
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
    await runTraining(new TargetStage(), {
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

  it("averages accumulated batches", async () => {
    const stage = new TargetStage();
    await runTraining(stage, { config: config({ accumulate: 3 }), steps: 1, output: folder });
    expect(stage.visits).toBe(3);
    const [weight] = stage.trainables as [Trainable];
    const first = stage.optimizer.buffers[0]!.data;
    // The first moment after one update is a tenth of the mean gradient, clipped to norm 1.
    const mean = weight.gradient.map((g) => g / 3);
    const norm = Math.hypot(...mean);
    first.forEach((value, i) => {
      expect(value).toBeCloseTo((0.1 * mean[i]!) / norm, 5);
    });
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
