/** @file A low-rank delta trained over a frozen matrix in blocks: the delta is input, the matrix an initializer. */
import { afterAll, describe, expect, it } from "vitest";
import { ShapeError } from "../errors.ts";
import { gradients } from "../graph/gradient.ts";
import { writeOnnx } from "../graph/onnx-writer.ts";
import { add, silu, square, sub } from "../graph/operators/elementwise.ts";
import { linear } from "../graph/operators/matmul.ts";
import { mean } from "../graph/operators/reduce.ts";
import { input, parameter, type Value } from "../graph/value.ts";
import { quantizeBlocks } from "../model/block-quantization.ts";
import { ParameterScope } from "../model/parameter-scope.ts";
import { type BlockFormat, scalesName, zeroPointsName } from "../model/weight-format.ts";
import { CounterRng } from "../tensor/counter-rng.ts";
import type { HostTensor, WeightSource } from "./engine.ts";
import { LocalEngine } from "./local-engine.ts";

const INPUTS = 40;
const HIDDEN = 48;
const OUTPUTS = 24;
const RANK = 4;
const ROWS = 16;

const engine = new LocalEngine({ threads: 1, spin: false });
afterAll(() => engine[Symbol.asyncDispose]());

function normal(shape: readonly number[], seed: number, gain = 1): Float32Array {
  const data = new CounterRng(seed).fillNormal(new Float32Array(shape.reduce((a, b) => a * b, 1)));
  return data.map((value) => value * gain);
}

const host = (shape: readonly number[], data: Float32Array): HostTensor => ({
  dtype: "float32",
  shape,
  data,
});

/** Two frozen matrices in blocks, as a weight source. */
function frozenWeights(format: BlockFormat): WeightSource {
  const parts = new Map<string, Float32Array | { dtype: "uint8"; data: Uint8Array }>();
  const matrices = { "first.weight": [HIDDEN, INPUTS], "second.weight": [OUTPUTS, HIDDEN] } as const;
  Object.entries(matrices).forEach(([name, shape], index) => {
    const values = normal(shape, index, 1 / Math.sqrt(shape[1]));
    const { packed, scales, zeroPoints } = quantizeBlocks(values, shape[0], shape[1], format);
    parts.set(name, { dtype: "uint8", data: packed }).set(scalesName(name), scales);
    if (zeroPoints !== undefined) parts.set(zeroPointsName(name), { dtype: "uint8", data: zeroPoints });
  });
  return ({ name }) => parts.get(name) as Float32Array;
}

interface Network {
  readonly loss: Value;
  readonly down: Value;
  readonly up: Value;
  readonly scope: ParameterScope;
}

/** second(silu(first(x) + x Downᵀ Upᵀ)) against targets: the delta lies behind a frozen matrix. */
function network(format: BlockFormat): Network {
  const scope = new ParameterScope(() => format);
  const down = parameter("delta.down", [RANK, INPUTS]);
  const up = parameter("delta.up", [HIDDEN, RANK]);
  const x = input("x", "float32", ["rows", INPUTS]);
  const base = scope.linear("first", x, HIDDEN, { bias: false });
  const hidden = silu(add(base, linear(linear(x, down), up)));
  const y = scope.linear("second", hidden, OUTPUTS, { bias: false });
  const loss = mean(square(sub(y, input("targets", "float32", ["rows", OUTPUTS]))));
  return { loss, down, up, scope };
}

const FORMATS: readonly [name: string, format: BlockFormat][] = [
  ["4 bits", { bits: 4, blockSize: 32, symmetric: true }],
  ["4 bits with zero points", { bits: 4, blockSize: 32, symmetric: false }],
  ["8 bits", { bits: 8, blockSize: 32, symmetric: true }],
];

describe.each(FORMATS)("a frozen base of %s", (_, format) => {
  it("lets a delta be trained through it", async () => {
    const { loss, down, up } = network(format);
    const [downGradient, upGradient] = gradients(loss, [down, up]) as [Value, Value];
    const model = writeOnnx(
      { loss, downGradient, upGradient },
      { parameters: (name) => (name.startsWith("delta.") ? "input" : "initializer") },
    );
    expect(model.inputs.map(({ name }) => name).sort()).toEqual(["delta.down", "delta.up", "targets", "x"]);
    const session = await engine.createSession(model, frozenWeights(format));
    const weights = { down: normal([RANK, INPUTS], 5, 0.2), up: normal([HIDDEN, RANK], 6, 0.2) };
    const run = async (at: typeof weights) => {
      const results = await session.run({
        x: host([ROWS, INPUTS], normal([ROWS, INPUTS], 3)),
        targets: host([ROWS, OUTPUTS], normal([ROWS, OUTPUTS], 4)),
        "delta.down": host([RANK, INPUTS], at.down),
        "delta.up": host([HIDDEN, RANK], at.up),
      });
      const data = (name: string): Float32Array => (results[name] as HostTensor).data as Float32Array;
      return { loss: data("loss")[0] as number, down: data("downGradient"), up: data("upGradient") };
    };

    // Along the gradient the loss falls as fast as the gradient says, but for the rounding of activations.
    const start = await run(weights);
    const length = Math.hypot(...start.down, ...start.up);
    const along = (distance: number) =>
      run({
        down: weights.down.map((value, i) => value - (distance * (start.down[i] as number)) / length),
        up: weights.up.map((value, i) => value - (distance * (start.up[i] as number)) / length),
      });
    const slope = ((await along(-0.2)).loss - (await along(0.2)).loss) / 0.4;
    expect(slope / length).toBeGreaterThan(0.95);
    expect(slope / length).toBeLessThan(1.05);

    for (let step = 0; step < 150; step++) {
      const { down: byDown, up: byUp } = await run(weights);
      weights.down.forEach((value, i) => {
        weights.down[i] = value - (byDown[i] as number);
      });
      weights.up.forEach((value, i) => {
        weights.up[i] = value - (byUp[i] as number);
      });
    }
    expect((await run(weights)).loss).toBeLessThan(0.8 * start.loss);
    await session.dispose();
  });

  it("has no gradient itself, and is no input", () => {
    const { loss, scope } = network(format);
    const packed = scope.values().get("first.weight") as Value;
    expect(() => gradients(loss, [packed])).toThrow(ShapeError);
    expect(() => writeOnnx({ loss }, { parameters: "inputs" })).toThrow(/initializer only/);
  });
});
