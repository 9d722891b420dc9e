/**
 * @file Every operator of the graph against plain float64 loops (forward) and their finite differences (gradient),
 * over random shapes. It stands in this room because it runs the graphs.
 */
import { readdirSync } from "node:fs";
import { afterAll, describe, expect, it } from "vitest";
import { operatorCases } from "../../graph/conformance/all-cases.ts";
import { numericalGradient } from "../../graph/conformance/finite-differences.ts";
import { CaseDraw, type OperatorCase } from "../../graph/conformance/operator-case.ts";
import { generate, type Tensor64 } from "../../graph/conformance/tensor64.ts";
import { gradients } from "../../graph/gradient.ts";
import { writeOnnx } from "../../graph/onnx-writer.ts";
import { add, mul } from "../../graph/operators/elementwise.ts";
import { sum } from "../../graph/operators/reduce.ts";
import { constant, input, type Target, type Value } from "../../graph/value.ts";
import { CounterRng } from "../../tensor/counter-rng.ts";
import type { HostTensor } from "../engine.ts";
import { LocalEngine } from "./local-engine.ts";

const ROUNDS = 12;
/** Float32 rounding over sums of up to about 100 terms, relative to the tensor's largest element. */
const FORWARD_TOLERANCE = 2e-6;
/** Gradients pass through more operators, and normalisations of few elements amplify rounding. */
const GRADIENT_TOLERANCE = 2e-5;

/** Every target's graphs run on the CPU, which has all kernels. */
const TARGETS: readonly Target[] = ["cpu", "webgpu"];

const engine = new LocalEngine({ threads: 1, spin: false });
afterAll(() => engine[Symbol.asyncDispose]());

function host(tensor: Tensor64, dtype: HostTensor["dtype"]): HostTensor {
  const { shape, data } = tensor;
  if (dtype === "int64") return { dtype, shape, data: BigInt64Array.from(data, BigInt) };
  return { dtype, shape, data: dtype === "bool" ? Uint8Array.from(data) : Float32Array.from(data) };
}

function expectClose(actual: HostTensor, expected: Tensor64, tolerance: number, what: string): void {
  expect(actual.shape, what).toEqual(expected.shape);
  const largest = expected.data.reduce((most, value) => Math.max(most, Math.abs(value)), 1);
  expected.data.forEach((value, place) => {
    const error = Math.abs(Number(actual.data[place]) - value);
    if (!(error <= tolerance * largest)) {
      expect.fail(
        `${what}: element ${place} is ${actual.data[place]}, expected ${value} (largest ${largest})`,
      );
    }
  });
}

/** Runs the case's outputs and the gradients of a random weighting of them in one graph. */
async function check(test: OperatorCase, rng: CounterRng, target: Target): Promise<void> {
  const expected = test.reference(test.operands.map(({ tensor }) => tensor));
  const upstream = expected.map(({ shape }) => generate(shape, () => Math.fround(rng.normal())));
  const weights = test.outputs.map((output, index) => input(`upstream${index}`, "float32", output.shape));
  const loss = test.outputs.reduce<Value>(
    (total, output, index) => add(total, sum(mul(output, weights[index] as Value))),
    constant(0),
  );
  const differentiable = test.operands.filter((operand) => operand.differentiable);
  const derived = gradients(
    loss,
    differentiable.map(({ value }) => value),
  );
  const outputs: Record<string, Value> = {};
  test.outputs.forEach((output, index) => {
    outputs[`output${index}`] = output;
  });
  derived.forEach((gradient, index) => {
    outputs[`gradient${index}`] = gradient;
  });
  const model = writeOnnx(outputs, { parameters: "inputs", target });
  const given: Record<string, HostTensor> = {};
  for (const { name, value, tensor } of test.operands)
    given[name] = host(tensor, value.dtype as HostTensor["dtype"]);
  upstream.forEach((tensor, index) => {
    given[`upstream${index}`] = host(tensor, "float32");
  });
  const feeds = Object.fromEntries(model.inputs.map(({ name }) => [name, given[name] as HostTensor]));
  const session = await engine.createSession(model);
  const results = await session.run(feeds);
  await session.dispose();
  expected.forEach((tensor, index) => {
    const tolerance = test.tolerance ?? FORWARD_TOLERANCE;
    expectClose(results[`output${index}`] as HostTensor, tensor, tolerance, `output ${index}`);
  });
  differentiable.forEach((operand, index) => {
    const numerical = numericalGradient(test, test.operands.indexOf(operand), upstream);
    expectClose(
      results[`gradient${index}`] as HostTensor,
      numerical,
      GRADIENT_TOLERANCE,
      `gradient of ${operand.name} [${operand.value.shape}]`,
    );
  });
}

describe("operators", () => {
  it("all have conformance cases", async () => {
    const folder = new URL("../../graph/operators/", import.meta.url);
    const files = readdirSync(folder).filter((name) => name.endsWith(".ts") && !name.endsWith(".test.ts"));
    const exported: string[] = [];
    for (const file of files) {
      const module = (await import(new URL(file, folder).href)) as Record<string, unknown>;
      for (const [name, value] of Object.entries(module))
        if (typeof value === "function") exported.push(name);
    }
    expect(exported.length).toBeGreaterThan(40);
    expect(Object.keys(operatorCases).sort()).toEqual(exported.sort());
  });

  describe.each(TARGETS)("lowered for %s", (target) => {
    for (const [name, makeCase] of Object.entries(operatorCases)) {
      it(`${name} agrees with float64 loops and finite differences`, async () => {
        for (let round = 0; round < ROUNDS; round++) {
          const rng = new CounterRng(round);
          await check(makeCase(new CaseDraw(rng)), rng, target);
        }
      });
    }
  });
});
