/** @file Times operators forward and backward as a training step uses them: weights as inputs, gradients out. */

import { gradients } from "../src/graph/gradient.ts";
import { writeOnnx } from "../src/graph/onnx-writer.ts";
import { conv2d } from "../src/graph/operators/convolution.ts";
import { mul, silu } from "../src/graph/operators/elementwise.ts";
import { slice } from "../src/graph/operators/layout.ts";
import { groupNorm } from "../src/graph/operators/normalization.ts";
import { sum } from "../src/graph/operators/reduce.ts";
import { upsample } from "../src/graph/operators/resample.ts";
import { type Dim, evaluateSize } from "../src/graph/size.ts";
import { input, parameter, type Value } from "../src/graph/value.ts";
import type { HostTensor } from "../src/runtime/engine.ts";
import { LocalEngine } from "../src/runtime/node/local-engine.ts";
import { CounterRng } from "../src/tensor/counter-rng.ts";

/** A layer under test: its output, what is differentiated, and the values of the symbolic sizes. */
interface Layer {
  readonly name: string;
  readonly output: Value;
  readonly wrt: readonly Value[];
  readonly sizes: Readonly<Record<string, number>>;
}

function picture(channels: number): Value {
  return input("x", "float32", ["pictures", channels, "height", "width"]);
}

function convolutionLayer(
  pictures: number,
  inside: number,
  outside: number,
  side: number,
  kernel = 3,
): Layer {
  const x = picture(inside);
  const weight = parameter("weight", [outside, inside, kernel, kernel]);
  const bias = parameter("bias", [outside]);
  return {
    name: `conv${kernel}x${kernel} ${inside}->${outside} at ${side}`,
    output: conv2d(x, weight, bias),
    wrt: [x, weight, bias],
    sizes: { pictures, height: side, width: side },
  };
}

function normLayer(pictures: number, channels: number, side: number): Layer {
  const x = picture(channels);
  const weight = parameter("weight", [channels]);
  const bias = parameter("bias", [channels]);
  return {
    name: `groupNorm+silu ${channels} at ${side}`,
    output: silu(groupNorm(x, 6, weight, bias, 1e-6)),
    wrt: [x, weight, bias],
    sizes: { pictures, height: side, width: side },
  };
}

function upsampleLayer(pictures: number, channels: number, side: number): Layer {
  const x = picture(channels);
  const weight = parameter("weight", [channels, channels, 3, 3]);
  const bias = parameter("bias", [channels]);
  return {
    name: `upsample+conv ${channels} to ${side}`,
    output: conv2d(upsample(x), weight, bias),
    wrt: [x, weight, bias],
    sizes: { pictures, height: side / 2, width: side / 2 },
  };
}

function downsampleLayer(pictures: number, channels: number, side: number): Layer {
  const x = input("x", "float32", ["pictures", channels, "2*height", "2*width"]);
  const weight = parameter("weight", [channels, channels, 3, 3]);
  const bias = parameter("bias", [channels]);
  return {
    name: `downsample ${channels} from ${side}`,
    output: conv2d(x, weight, bias, { stride: 2, padding: { top: 0, left: 0, bottom: 1, right: 1 } }),
    wrt: [x, weight, bias],
    sizes: { pictures, height: side / 2, width: side / 2 },
  };
}

/** Milliseconds of one run: the least of several, which other work on the machine disturbs least. */
async function time(
  engine: LocalEngine,
  outputs: Record<string, Value>,
  sizes: Readonly<Record<string, number>>,
): Promise<number> {
  const model = writeOnnx(outputs, { parameters: "inputs" });
  const session = await engine.createSession(model);
  const rng = new CounterRng(1);
  const known = new Map(Object.entries(sizes));
  const feeds: Record<string, HostTensor> = {};
  for (const port of model.inputs) {
    const shape = port.shape.map((dim: Dim) => evaluateSize(dim, known));
    const data = rng.fillNormal(new Float32Array(shape.reduce((a, b) => a * b, 1)));
    feeds[port.name] = { dtype: "float32", shape, data };
  }
  const times: number[] = [];
  const begin = performance.now();
  for (let run = 0; run < 4 || (performance.now() - begin < 1500 && run < 60); run++) {
    const start = performance.now();
    await session.run(feeds);
    times.push(performance.now() - start);
  }
  await session.dispose();
  return Math.min(...times.slice(2));
}

/** Forward and backward: the gradient of sum(output * g) for a given g, reduced so that little is copied out. */
async function measure(engine: LocalEngine, layer: Layer): Promise<{ forward: number; both: number }> {
  const upstream = input("gradient", "float32", layer.output.shape);
  const forward = await time(engine, { y: cheap(layer.output) }, layer.sizes);
  const derived = gradients(sum(mul(layer.output, upstream)), layer.wrt);
  const outputs: Record<string, Value> = { y: cheap(layer.output) };
  derived.forEach((value, index) => {
    outputs[`d${index}`] = index === 0 ? cheap(value) : value;
  });
  const both = await time(engine, outputs, layer.sizes);
  return { forward, both };
}

/** One element in place of a whole picture, so that copying the output does not count. */
function cheap(x: Value): Value {
  return slice(x, { axis: 0, start: 0, end: 1 });
}

const LAYERS = (pictures: number): readonly Layer[] => [
  convolutionLayer(pictures, 3, 24, 128),
  convolutionLayer(pictures, 24, 24, 128),
  convolutionLayer(pictures, 24, 3, 128),
  convolutionLayer(pictures, 48, 48, 64),
  convolutionLayer(pictures, 48, 24, 64, 1),
  convolutionLayer(pictures, 96, 96, 32),
  convolutionLayer(pictures, 96, 96, 16),
  normLayer(pictures, 24, 128),
  normLayer(pictures, 48, 64),
  normLayer(pictures, 96, 32),
  normLayer(pictures, 96, 16),
  upsampleLayer(pictures, 48, 128),
  downsampleLayer(pictures, 24, 128),
];

const only = process.argv[2];
await using engine = new LocalEngine({});
for (const layer of LAYERS(12)) {
  if (only !== undefined && !layer.name.includes(only)) continue;
  const { forward, both } = await measure(engine, layer);
  console.log(layer.name.padEnd(32), forward.toFixed(2).padStart(8), both.toFixed(2).padStart(8));
}
