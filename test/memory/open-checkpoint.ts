/**
 * @file A process of its own: binds the matrices of a synthetic checkpoint as generation does, runs them once, and
 * prints its greatest resident memory in bytes. Arguments: path, number of matrices.
 */
import { readFile } from "node:fs/promises";
import { TensorSet } from "../../src/checkpoint/tensor-set.ts";
import { openSafetensors } from "../../src/files/safetensors-files.ts";
import { writeOnnx } from "../../src/graph/onnx-writer.ts";
import { input } from "../../src/graph/value.ts";
import { ParameterScope } from "../../src/model/parameter-scope.ts";
import { WorkerEngine } from "../../src/runtime/worker-engine.ts";
import { WIDTH } from "./synthetic-checkpoint.ts";

const [path, count] = process.argv.slice(2) as [string, string];
const tensors = new TensorSet(await openSafetensors(path));
const scope = new ParameterScope(tensors.weightPlan);
let x = input("x", "float32", ["rows", WIDTH]);
for (let layer = 0; layer < Number(count); layer++)
  x = scope.linear(`layers.${layer}`, x, WIDTH, { bias: false });
const engine = WorkerEngine.create({ threads: 1 });
const model = writeOnnx({ y: x }, { parameters: "initializers" });
const session = await engine.createSession(model, tensors.weightSource);
const data = new Float32Array(2 * WIDTH).fill(1);
await session.run({ x: { dtype: "float32", shape: [2, WIDTH], data } });
const status = await readFile("/proc/self/status", "utf8");
await engine[Symbol.asyncDispose]();
await tensors.close();
process.stdout.write(`${1024 * Number(/VmHWM:\s+(\d+) kB/.exec(status)?.[1])}\n`);
