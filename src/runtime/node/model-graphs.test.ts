/** The model's graphs against plain float64 loops written from the formulas (docs/nextstep-spec.md 2). */
import { afterAll, describe, expect, it } from "vitest";
import { writeOnnx } from "../../graph/onnx-writer.ts";
import { input, type Value } from "../../graph/value.ts";
import { normalizeLatents } from "../../model/autoencoder.ts";
import { backbone, rotaryTables } from "../../model/backbone.ts";
import { type NextStepConfig, parseNextStepConfig } from "../../model/config.ts";
import { conditionEmbedding, flowHead } from "../../model/flow-head.ts";
import { flowSampler } from "../../model/flow-sampler.ts";
import { ParameterScope } from "../../model/parameter-scope.ts";
import { CounterRng } from "../../tensor/counter-rng.ts";
import type { Feeds, HostTensor } from "../engine.ts";
import { LocalEngine } from "./local-engine.ts";

const engine = new LocalEngine({ threads: 1 });
afterAll(() => engine[Symbol.asyncDispose]());

type Matrix = number[][];

const random = new CounterRng(11);
const numbers = (count: number, scale = 1): Float32Array =>
  Float32Array.from({ length: count }, () => scale * (2 * random.uniform() - 1));

const float32 = (shape: readonly number[], data: Float32Array): HostTensor => ({
  dtype: "float32",
  shape,
  data,
});

/** Random weights for all that a scope was asked for, and access to them as matrices. */
class Weights {
  readonly #values = new Map<string, { shape: readonly number[]; data: Float32Array }>();

  constructor(scope: ParameterScope) {
    for (const { name, shape } of scope.list) {
      const count = shape.reduce((a, b) => a * b, 1);
      this.#values.set(name, { shape, data: numbers(count, shape.length > 1 ? 0.6 : 0.9) });
    }
  }

  data(name: string): Float32Array {
    return this.#values.get(name)?.data ?? new Float32Array(0);
  }

  /** x W^T + b */
  linear(name: string, x: readonly number[]): number[] {
    const { shape = [], data = new Float32Array(0) } = this.#values.get(`${name}.weight`) ?? {};
    const bias = this.data(`${name}.bias`);
    const [outputs = 0, inputs = 0] = shape;
    return Array.from({ length: outputs }, (_, o) =>
      x.reduce((sum, value, i) => sum + value * (data[o * inputs + i] as number), bias[o] ?? 0),
    );
  }
}

async function compute(outputs: Record<string, Value>, weights: Weights, feeds: Feeds) {
  const model = writeOnnx(outputs, { parameters: "initializers" });
  const session = await engine.createSession(model, ({ name }) => weights.data(name));
  const results = await session.run(feeds);
  await session.dispose();
  return results;
}

function expectClose(actual: HostTensor | undefined, expected: readonly number[]): void {
  const data = actual?.data as Float32Array;
  expect(data.length).toBe(expected.length);
  const worst = expected.reduce((most, value, i) => Math.max(most, Math.abs(value - (data[i] as number))), 0);
  expect(worst).toBeLessThan(2e-5);
}

const config = (change: object = {}): NextStepConfig =>
  parseNextStepConfig({
    hidden_size: 10,
    num_attention_heads: 3,
    num_key_value_heads: 1,
    head_dim: 4,
    intermediate_size: 7,
    num_hidden_layers: 2,
    vocab_size: 9,
    rope_theta: 30,
    rms_norm_eps: 0.01,
    latent_channels: 3,
    latent_patch_size: 1,
    fm_head_dim: 6,
    fm_head_layers: 2,
    o_attention_bias: true,
    ...change,
  }).config;

const silu = (x: number): number => x / (1 + Math.exp(-x));
const plus = (a: readonly number[], b: readonly number[]): number[] => a.map((x, i) => x + (b[i] as number));

function rms(x: readonly number[], weight: Float32Array, eps: number): number[] {
  const scale = 1 / Math.sqrt(x.reduce((sum, value) => sum + value * value, 0) / x.length + eps);
  return x.map((value, i) => value * scale * (weight[i] as number));
}

/** One row, all tokens at once; `visible(i, j)` says whether token i sees token j. */
function plainBackbone(
  settings: NextStepConfig,
  weights: Weights,
  embeds: Matrix,
  visible: (query: number, key: number) => boolean,
): Matrix {
  const { layers, heads, kvHeads, headDim, rmsNormEps, ropeTheta } = settings;
  let hidden = embeds;
  const rotate = (x: readonly number[], position: number): number[] => {
    const half = headDim / 2;
    return x.map((value, i) => {
      const angle = position * ropeTheta ** ((-2 * (i % half)) / headDim);
      const partner = i < half ? -(x[i + half] as number) : (x[i - half] as number);
      return value * Math.cos(angle) + partner * Math.sin(angle);
    });
  };
  for (let layer = 0; layer < layers; layer++) {
    const name = `layers.${layer}`;
    const normed = hidden.map((x) => rms(x, weights.data(`${name}.input_layernorm.weight`), rmsNormEps));
    const project = (part: string, count: number, turn: boolean) =>
      normed.map((x, position) => {
        const all = weights.linear(`${name}.self_attn.${part}`, x);
        return Array.from({ length: count }, (_, head) => {
          const own = all.slice(head * headDim, (head + 1) * headDim);
          return turn ? rotate(own, position) : own;
        });
      });
    const [q, k, v] = [
      project("q_proj", heads, true),
      project("k_proj", kvHeads, true),
      project("v_proj", kvHeads, false),
    ];
    const attended = normed.map((_, query) => {
      const mixed = Array.from({ length: heads }, (__, head) => {
        const group = Math.floor((head * kvHeads) / heads);
        const scores = k.map((keys, key) =>
          visible(query, key)
            ? (keys[group] as number[]).reduce(
                (sum, x, i) => sum + x * (q[query]?.[head]?.[i] as number),
                0,
              ) / Math.sqrt(headDim)
            : -Infinity,
        );
        const top = Math.max(...scores);
        const shares = scores.map((score) => Math.exp(score - top));
        const total = shares.reduce((a, b) => a + b, 0);
        return Array.from({ length: headDim }, (___, i) =>
          v.reduce(
            (sum, values, key) => sum + ((shares[key] as number) / total) * (values[group]?.[i] as number),
            0,
          ),
        );
      });
      return weights.linear(`${name}.self_attn.o_proj`, mixed.flat());
    });
    hidden = hidden.map((x, i) => plus(x, attended[i] as number[]));
    hidden = hidden.map((x) => {
      const n = rms(x, weights.data(`${name}.post_attention_layernorm.weight`), rmsNormEps);
      const gate = weights.linear(`${name}.mlp.gate_proj`, n).map(silu);
      const up = weights.linear(`${name}.mlp.up_proj`, n);
      return plus(
        x,
        weights.linear(
          `${name}.mlp.down_proj`,
          gate.map((g, i) => g * (up[i] as number)),
        ),
      );
    });
  }
  return hidden.map((x) => rms(x, weights.data("norm.weight"), rmsNormEps));
}

describe("backbone", () => {
  const tokens = 6;
  const visible = (query: number, key: number): boolean => key <= query && key !== 1;
  const masked = (queries: readonly number[], keys: number): Float32Array =>
    Float32Array.from(
      queries.flatMap((q) => Array.from({ length: keys }, (_, k) => (visible(q, k) ? 0 : -1e30))),
    );
  const int64 = (values: readonly number[]): HostTensor => ({
    dtype: "int64",
    shape: [1, values.length],
    data: BigInt64Array.from(values, BigInt),
  });

  it.each([
    [3, 1],
    [3, 3],
    [4, 2],
  ])(
    "agrees with plain loops: %i heads, %i key/value heads, whole and in two pieces",
    async (heads, kvHeads) => {
      const settings = config({ num_attention_heads: heads, num_key_value_heads: kvHeads });
      const scope = new ParameterScope();
      const graph = (cached: boolean): Record<string, Value> => {
        const cache = (part: string): Value[] =>
          Array.from({ length: 2 }, (_, i) => input(`${part}${i}`, "float32", ["rows", kvHeads, "past", 4]));
        const { hidden, keys, values } = backbone(scope, settings, {
          embeds: input("embeds", "float32", ["rows", "tokens", 10]),
          positions: input("positions", "int64", ["rows", "tokens"]),
          cosines: input("cosines", "float32", ["positions", 2]),
          sines: input("sines", "float32", ["positions", 2]),
          mask: input("mask", "float32", ["rows", 1, "tokens", cached ? "past+tokens" : "tokens"]),
          ...(cached ? { cache: { keys: cache("k"), values: cache("v") } } : {}),
        });
        const held = [
          ...keys.map((key, i) => [`new.k${i}`, key] as const),
          ...values.map((value, i) => [`new.v${i}`, value] as const),
        ];
        return { hidden, ...Object.fromEntries(held) };
      };
      const [whole, behind] = [graph(false), graph(true)];
      const weights = new Weights(scope);
      const embeds = numbers(tokens * 10);
      const rows = Array.from({ length: tokens }, (_, i) => [...embeds.subarray(i * 10, (i + 1) * 10)]);
      const expected = plainBackbone(settings, weights, rows, visible);

      const { cosines, sines } = rotaryTables(settings, tokens);
      const tables = { cosines: float32([tokens, 2], cosines), sines: float32([tokens, 2], sines) };
      const all = [0, 1, 2, 3, 4, 5];
      const full = await compute(whole, weights, {
        ...tables,
        embeds: float32([1, tokens, 10], embeds),
        positions: int64(all),
        mask: float32([1, 1, tokens, tokens], masked(all, tokens)),
      });
      // Nothing sees token 1 and it sees nothing but token 0.
      expectClose(full.hidden, expected.flat());

      const first = await compute(whole, weights, {
        ...tables,
        embeds: float32([1, 4, 10], embeds.slice(0, 40)),
        positions: int64([0, 1, 2, 3]),
        mask: float32([1, 1, 4, 4], masked([0, 1, 2, 3], 4)),
      });
      const held = Object.fromEntries(
        ["k0", "k1", "v0", "v1"].map((name) => [name, first[`new.${name}`] as HostTensor]),
      );
      const rest = await compute(behind, weights, {
        ...tables,
        ...held,
        embeds: float32([1, 2, 10], embeds.slice(40)),
        positions: int64([4, 5]),
        mask: float32([1, 1, 2, tokens], masked([4, 5], tokens)),
      });
      expectClose(rest.hidden, expected.slice(4).flat());
    },
  );
});

function layerNorm(x: readonly number[]): number[] {
  const mean = x.reduce((a, b) => a + b, 0) / x.length;
  const variance = x.reduce((sum, value) => sum + (value - mean) ** 2, 0) / x.length;
  return x.map((value) => (value - mean) / Math.sqrt(variance + 1e-6));
}

/** Velocity at one point. */
function plainHead(
  settings: NextStepConfig,
  weights: Weights,
  x: number[],
  t: number,
  c: number[],
): number[] {
  const net = "image_head.net";
  const angles = Array.from({ length: 128 }, (_, k) => t * 10_000 ** (-k / 128));
  const features = [...angles.map(Math.cos), ...angles.map(Math.sin)];
  const time = weights.linear(
    `${net}.time_embed.mlp.2`,
    weights.linear(`${net}.time_embed.mlp.0`, features).map(silu),
  );
  const y = plus(time, weights.linear(`${net}.cond_embed`, c)).map(silu);
  const width = settings.headWidth;
  const modulate = (u: number[], m: number[]): number[] =>
    u.map((value, i) => value * (1 + (m[width + i] as number)) + (m[i] as number));
  let u = weights.linear(`${net}.input_proj`, x);
  for (let block = 0; block < settings.headLayers; block++) {
    const name = `${net}.res_blocks.${block}`;
    const m = weights.linear(`${name}.adaLN_modulation.1`, y);
    const [gain, bias] = [weights.data(`${name}.in_ln.weight`), weights.data(`${name}.in_ln.bias`)];
    const normed = layerNorm(u).map((value, i) => value * (gain[i] as number) + (bias[i] as number));
    const inner = weights.linear(`${name}.mlp.0`, modulate(normed, m)).map(silu);
    const h = weights.linear(`${name}.mlp.2`, inner);
    u = u.map((value, i) => value + (m[2 * width + i] as number) * (h[i] as number));
  }
  const m = weights.linear(`${net}.final_layer.adaLN_modulation.1`, y);
  return weights.linear(`${net}.final_layer.linear`, modulate(layerNorm(u), m));
}

describe("flow head and sampler", () => {
  const settings = config({ fm_head_mlp_ratio: 1.5 });
  const rowsOf = (data: Float32Array, width: number): Matrix =>
    Array.from({ length: data.length / width }, (_, i) => [...data.subarray(i * width, (i + 1) * width)]);

  it("agree with plain loops", async () => {
    const scope = new ParameterScope();
    const [x, t, c] = [numbers(5 * 3), numbers(5).map(Math.abs), numbers(5 * 10)];
    const ports = [
      input("x", "float32", ["count", 3]),
      input("t", "float32", ["count"]),
      input("c", "float32", ["count", 10]),
    ] as const;
    const v = flowHead(scope, settings, ...ports);
    const weights = new Weights(scope);
    const result = await compute({ v }, weights, {
      x: float32([5, 3], x),
      t: float32([5], t),
      c: float32([5, 10], c),
    });
    const expected = rowsOf(x, 3).map((row, i) =>
      plainHead(settings, weights, row, t[i] as number, rowsOf(c, 10)[i] as number[]),
    );
    expectClose(result.v, expected.flat());
  });

  it("follow any table with any number of branches", async () => {
    const [steps, branches, images] = [3, 3, 2];
    const scope = new ParameterScope();
    const table = (name: string): Value => input(name, "float32", [steps, "images"]);
    const { states } = flowSampler(scope, settings, {
      state: input("state", "float32", ["images", 3]),
      condition: conditionEmbedding(scope, settings, input("conditions", "float32", ["rows", 10])),
      pictureOfRow: input("picture_of_row", "int64", ["rows"]),
      times: table("times"),
      a: table("a"),
      b: table("b"),
      c: table("c"),
      branchRows: input("branch_rows", "int64", ["branches", "images"]),
      weights: input("weights", "float32", ["branches", "images"]),
      noise: input("noise", "float32", [steps, "images", 3]),
    });
    const weights = new Weights(scope);
    const [conditions, share, start, noise] = [numbers(60), numbers(6), numbers(6), numbers(18)];
    // [steps, images]: each picture has a table of its own.
    const [times, a, b, c] = [numbers(6).map(Math.abs), numbers(6), numbers(6), numbers(6)];
    const result = await compute({ states }, weights, {
      conditions: float32([6, 10], conditions),
      state: float32([images, 3], start),
      picture_of_row: { dtype: "int64", shape: [6], data: BigInt64Array.of(0n, 1n, 0n, 1n, 0n, 1n) },
      times: float32([3, images], times),
      a: float32([3, images], a),
      b: float32([3, images], b),
      c: float32([3, images], c),
      branch_rows: {
        dtype: "int64",
        shape: [branches, images],
        data: BigInt64Array.of(0n, 1n, 2n, 3n, 4n, 5n),
      },
      weights: float32([branches, images], share),
      noise: float32([steps, images, 3], noise),
    });
    for (let image = 0; image < images; image++) {
      const draw = (step: number): number[] => rowsOf(noise, 3)[step * images + image] as number[];
      const at = (table: Float32Array, step: number): number => table[step * images + image] as number;
      let x = rowsOf(start, 3)[image] as number[];
      for (let step = 0; step < steps; step++) {
        const velocities = Array.from({ length: branches }, (_, branch) =>
          plainHead(
            settings,
            weights,
            x,
            at(times, step),
            rowsOf(conditions, 10)[branch * images + image] as number[],
          ),
        );
        x = x.map((value, i) => {
          const v = velocities.reduce(
            (sum, own, k) => sum + (share[k * images + image] as number) * (own[i] as number),
            0,
          );
          return at(a, step) * value + at(b, step) * v + at(c, step) * (draw(step)[i] as number);
        });
        const state = result.states?.data as Float32Array;
        const place = 3 * (step * images + image);
        expectClose(float32([3], state.subarray(place, place + 3)), x);
      }
    }
  });
});

describe("normalizeLatents", () => {
  it("gives each patch over all channels mean 0 and variance 1", async () => {
    const [channels, patch, height, width] = [3, 2, 4, 6];
    const z = input("z", "float32", ["n", channels, `${patch}*rows`, `${patch}*columns`]);
    const data = numbers(2 * channels * height * width, 3);
    const weights = new Weights(new ParameterScope());
    const result = await compute({ out: normalizeLatents(z, patch) }, weights, {
      z: float32([2, channels, height, width], data),
    });
    const expected = new Array<number>(data.length);
    for (let n = 0; n < 2; n++) {
      for (let row = 0; row < height; row += patch) {
        for (let column = 0; column < width; column += patch) {
          const places: number[] = [];
          for (let c = 0; c < channels; c++) {
            for (let dy = 0; dy < patch; dy++) {
              for (let dx = 0; dx < patch; dx++) {
                places.push(((n * channels + c) * height + row + dy) * width + column + dx);
              }
            }
          }
          const normal = layerNorm(places.map((place) => data[place] as number));
          places.forEach((place, i) => {
            expected[place] = normal[i] as number;
          });
        }
      }
    }
    expectClose(result.out, expected);
  });
});
