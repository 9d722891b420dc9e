import { afterAll, describe, expect, it } from "vitest";
import { parseNextStepConfig } from "../../model/config.ts";
import type { HostTensor } from "../../runtime/engine.ts";
import { LocalEngine } from "../../runtime/node/local-engine.ts";
import { CounterRng } from "../../tensor/counter-rng.ts";
import { AttentionMasks } from "../objective/attention-mask.ts";
import { GradientSession } from "../objective/gradient-session.ts";
import { type Trainable, trainable } from "../optimizer/trainable.ts";
import { randomFor } from "../step-random.ts";
import { floats, replayFeeds, scalar } from "./replay-feeds.ts";
import { DISTANCE, REPLAY_SQUARES, replayGraph } from "./replay-graph.ts";
import type { Rollout } from "./rollout.ts";

const { config } = parseNextStepConfig({
  hidden_size: 16,
  intermediate_size: 24,
  num_hidden_layers: 2,
  num_attention_heads: 2,
  num_key_value_heads: 1,
  vocab_size: 20,
  fm_head_dim: 12,
  fm_head_layers: 1,
  latent_channels: 2,
  image_placeholder_id: 17,
  boi: 15,
  eoi: 16,
});
const WIDTH = 8;
const CELLS = 3;
const ROWS = [
  { t: 0.4, a: 0.7, b: 0.5, c: 0.3 },
  { t: 0.8, a: 0.9, b: -0.4, c: 0.2 },
];
const NUMBERS = CELLS * ROWS.length * WIDTH;
const ADVANTAGES = [0.6, -0.4];

const normals = (count: number, seed: number, factor = 1): Float32Array =>
  new CounterRng(seed).fillNormal(new Float32Array(count)).map((value) => factor * value);

/** Pictures of prompts of two lengths, next states being what they may be behind a step. */
function rollouts(): Rollout[] {
  return [
    [1, 2, 15],
    [3, 4, 5, 15],
  ].map((ids, index) => {
    const states = normals(NUMBERS, 10 + index);
    const next = normals(NUMBERS, 20 + index, 0.5);
    // As if the drawing had had other weights: the ratios are not 1 here.
    const logs = normals(CELLS * ROWS.length, 30 + index, 0.1);
    return {
      grid: [1, CELLS],
      ids,
      tokens: normals(CELLS * WIDTH, 40 + index),
      path: { states, next, logs },
    };
  });
}

function weightsOf(graph: ReturnType<typeof replayGraph>): Trainable[] {
  return graph.parameters.map(({ producer, shape }) => {
    const name = producer.kind === "parameter" ? producer.name : "";
    const size = shape as number[];
    const data = new Float32Array(size.reduce((a, b) => a * b, 1));
    randomFor(3, name).fillNormal(data);
    return trainable(
      name,
      size,
      data.map((value) => 0.3 * value + (name.includes("norm") ? 1 : 0)),
    );
  });
}

describe("the loss of reward learning", () => {
  const engine = new LocalEngine({ threads: 1 });
  afterAll(() => engine[Symbol.asyncDispose]());
  const graph = replayGraph(config, { maskPerRow: false, pulls: true });
  const weights = weightsOf(graph);
  const feeds: Record<string, HostTensor> = {
    ...replayFeeds(config, rollouts(), ROWS, undefined, new AttentionMasks()),
    advantages: floats([2, 1], Float32Array.from(ADVANTAGES)),
    base_velocities: floats([2, CELLS, ROWS.length, WIDTH], normals(2 * NUMBERS, 50)),
    distance_factors: floats([2], Float32Array.of(0.2, 0.1)),
    pull: scalar(0.3),
  };

  it("has the gradients that differences of it have", async () => {
    const session = await GradientSession.create(engine, graph, weights);
    const { loss } = await session.run(feeds, true);
    const analytic = weights.map(({ gradient }) => Float64Array.from(gradient));
    const names = new Set(weights.map(({ name }) => name));
    // What the loss must reach: both ends of the backbone, its layers, the head with its time and condition.
    for (const name of [
      "embed_tokens",
      "layers.1.self_attn.v_proj",
      "image_in_projector",
      "image_head.net.time_embed.mlp.0",
    ])
      expect(names).toContain(`${name}.weight`);
    const largest = Math.max(...analytic.flatMap((values) => Array.from(values, Math.abs)));
    // Along a random direction of each weight, by differences that are off by the fourth power of the step, and by the
    // rounding of a float32 loss near 1 over it, 1e-4.
    const step = 1e-3;
    for (const [index, weight] of weights.entries()) {
      const direction = normals(weight.data.length, 100 + index);
      const original = Float32Array.from(weight.data);
      const at = async (factor: number): Promise<number> => {
        weight.data.set(original.map((value, i) => value + factor * direction[i]!));
        return (await session.run(feeds, true)).loss;
      };
      const near = (await at(step)) - (await at(-step));
      const far = (await at(2 * step)) - (await at(-2 * step));
      const difference = (8 * near - far) / (12 * step);
      weight.data.set(original);
      const along = direction.reduce((sum, value, i) => sum + value * analytic[index]![i]!, 0);
      expect(Math.abs(difference - along), weight.name).toBeLessThan(2e-3 * (largest + Math.abs(along)));
    }
    expect((await session.run(feeds, true)).loss).toBe(loss);
    await session.dispose();
  }, 240_000);

  it("has ratios of 1 where the weights are those that drew, and then the gradient of the log-probability", async () => {
    const session = await GradientSession.create(engine, graph, weights);
    const still = { ...feeds, pull: scalar(0) };
    const shape = [2, CELLS, ROWS.length];
    const logsOf = (log: (row: number, step: number) => number): HostTensor => {
      const all = [0, 1].flatMap((row) =>
        Array.from({ length: CELLS }, () => ROWS.map((_, step) => log(row, step))).flat(),
      );
      return floats(shape, Float32Array.from(all));
    };
    // Logs of zero tell the log-probabilities themselves, by the ratio of one picture and step at a time: against such as
    // it can never have, the others' ratios are zero.
    const own = new Map<string, number>();
    for (const row of [0, 1]) {
      for (const step of ROWS.keys()) {
        const drawn_logs = logsOf((r, s) => (r === row && s === step ? 0 : 1e4));
        const advantages = floats([2, 1], Float32Array.of(1, 1));
        const { loss } = await session.run({ ...still, drawn_logs, advantages }, true);
        own.set(`${row} ${step}`, Math.log(-loss));
      }
    }
    const drawn_logs = logsOf((row, step) => own.get(`${row} ${step}`)!);
    const { loss } = await session.run({ ...still, drawn_logs }, true);
    // Of both steps.
    expect(loss).toBeCloseTo(-2 * (ADVANTAGES[0]! + ADVANTAGES[1]!), 5);
    await session.dispose();
  });

  it("is as far from the base as its velocities are, and not at all from itself", async () => {
    const session = await GradientSession.create(engine, graph, weights);
    const sums = await session.run(feeds, true);
    expect(sums[DISTANCE]).toBeGreaterThan(0.01);
    expect(sums[REPLAY_SQUARES]).toBeGreaterThan(0);
    await session.dispose();
  });
});
