/** @file Features of a made-up net, run, against plain loops. It stands in this room because it runs the graph. */
import { expect, it } from "vitest";
import { featureParameters } from "../../../test/support/feature-parameters.ts";
import { writeOnnx } from "../../graph/onnx-writer.ts";
import { input } from "../../graph/value.ts";
import { featureMaps, pooledFeatures } from "../../model/feature-net.ts";
import { ParameterScope } from "../../model/parameter-scope.ts";
import { CounterRng } from "../../tensor/counter-rng.ts";
import type { HostTensor } from "../engine.ts";
import { LocalEngine } from "./local-engine.ts";

const SIDE = 8;
const CONFIG = {
  stem: 4,
  blocks: [
    { expand: 1, kernel: 3, stride: 1, channels: 4 },
    { expand: 3, kernel: 5, stride: 2, channels: 6 },
  ],
  taps: [0, 1],
  head: 5,
} as const;

interface Maps {
  readonly side: number;
  readonly planes: readonly Float64Array[];
}

/** Convolution with TensorFlow's padding; `depthwise` by the shape of the weight. */
function convolve(x: Maps, weight: HostTensor, bias: HostTensor, stride: number): Maps {
  const [outputs, inside, kernel] = weight.shape as [number, number, number, number];
  const side = x.side / stride;
  const before = Math.floor((kernel - stride) / 2);
  const planes = Array.from({ length: outputs }, (_, out) => {
    const plane = new Float64Array(side * side);
    const first = inside === x.planes.length ? 0 : out;
    for (let row = 0; row < side; row++) {
      for (let column = 0; column < side; column++) {
        let total = Number(bias.data[out]);
        for (let from = 0; from < inside; from++) {
          for (let i = 0; i < kernel; i++) {
            for (let j = 0; j < kernel; j++) {
              const [y, z] = [row * stride + i - before, column * stride + j - before];
              if (y < 0 || z < 0 || y >= x.side || z >= x.side) continue;
              const w = Number(weight.data[((out * inside + from) * kernel + i) * kernel + j]);
              total += w * x.planes[first + from]![y * x.side + z]!;
            }
          }
        }
        plane[row * side + column] = total;
      }
    }
    return plane;
  });
  return { side, planes };
}

const relu6 = ({ side, planes }: Maps): Maps => ({
  side,
  planes: planes.map((plane) => plane.map((value) => Math.min(Math.max(value, 0), 6))),
});

it("computes blocks with padding, strides and shortcuts as published", async () => {
  const rng = new CounterRng(4);
  const weights: Record<string, HostTensor> = {};
  for (const { name, shape } of featureParameters(CONFIG)) {
    const data = rng.fillNormal(new Float32Array(shape.reduce((a, b) => a * b, 1)));
    weights[name] = { dtype: "float32", shape, data };
  }
  const pixels = Float32Array.from({ length: 3 * SIDE * SIDE }, () => 2 * rng.uniform() - 1);

  const value = input("pixels", "float32", [1, 3, SIDE, SIDE]);
  const maps = featureMaps(new ParameterScope(), CONFIG, value);
  await using engine = new LocalEngine({ threads: 1, spin: false });
  const pooled = pooledFeatures(new ParameterScope(), CONFIG, value);
  const outputs = { ...Object.fromEntries(maps.map((map, index) => [`map${index}`, map])), pooled };
  const session = await engine.createSession(writeOnnx(outputs, { parameters: "inputs" }));
  const results = await session.run({
    ...weights,
    pixels: { dtype: "float32", shape: [1, 3, SIDE, SIDE], data: pixels },
  });

  const planes = [0, 1, 2].map((channel) =>
    Float64Array.from(pixels.subarray(64 * channel, 64 * (channel + 1)), (p) => (127.5 * p + 0.5) / 128),
  );
  const layer = (x: Maps, name: string, stride = 1): Maps =>
    convolve(x, weights[`features.${name}.weight`]!, weights[`features.${name}.bias`]!, stride);
  const stem = relu6(layer({ side: SIDE, planes }, "stem", 2));
  const plain = layer(relu6(layer(stem, "0.depthwise")), "0.project");
  const first = {
    side: plain.side,
    planes: plain.planes.map((plane, c) => plane.map((v, i) => v + stem.planes[c]![i]!)),
  };
  const second = layer(relu6(layer(relu6(layer(first, "1.expand")), "1.depthwise", 2)), "1.project");
  for (const [index, expected] of [first, second].entries()) {
    const actual = results[`map${index}`]!;
    expect(actual.shape).toEqual([1, expected.planes.length, expected.side, expected.side]);
    const flat = expected.planes.flatMap((plane) => [...plane]);
    // Float32 sums of up to 150 products of size 10.
    flat.forEach((number, place) => {
      expect(Math.abs(Number(actual.data[place]) - number)).toBeLessThan(1e-3);
    });
  }

  const means = relu6(layer(second, "head")).planes.map(
    (plane) => plane.reduce((a, b) => a + b) / plane.length,
  );
  expect(results.pooled!.shape).toEqual([1, 5]);
  means.forEach((mean, place) => {
    expect(Math.abs(Number(results.pooled!.data[place]) - mean)).toBeLessThan(1e-3);
  });
});
