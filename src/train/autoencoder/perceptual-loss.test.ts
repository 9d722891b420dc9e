/** @file Pictures in the features of a made-up net: equal ones are 0 apart, nearer ones less, and gradients lead there. */
import { afterAll, describe, expect, it } from "vitest";
import { featureParameters } from "../../../test/support/feature-parameters.ts";
import { gradients } from "../../graph/gradient.ts";
import { writeOnnx } from "../../graph/onnx-writer.ts";
import { input } from "../../graph/value.ts";
import type { FeatureNetConfig } from "../../model/feature-net.ts";
import type { HostTensor } from "../../runtime/engine.ts";
import { LocalEngine } from "../../runtime/node/local-engine.ts";
import { CounterRng } from "../../tensor/counter-rng.ts";
import { perceptualLoss } from "./perceptual-loss.ts";

const NET: FeatureNetConfig = {
  stem: 4,
  blocks: [
    { expand: 1, kernel: 3, stride: 1, channels: 4 },
    { expand: 2, kernel: 5, stride: 2, channels: 6 },
  ],
  taps: [0, 1],
};
const SHAPE = [1, 3, 8, 8];
const ELEMENTS = 192;

const engine = new LocalEngine({ threads: 1, spin: false });
afterAll(() => engine[Symbol.asyncDispose]());

describe("perceptualLoss", async () => {
  const rng = new CounterRng(9);
  const floats = (shape: readonly number[], data: Float32Array): HostTensor => ({
    dtype: "float32",
    shape,
    data,
  });
  const weights = Object.fromEntries(
    featureParameters(NET).map(({ name, shape }) => {
      const data = rng.fillNormal(new Float32Array(shape.reduce((a, b) => a * b, 1)));
      return [name, floats(shape, data)];
    }),
  );
  const [x, y] = [input("x", "float32", SHAPE), input("y", "float32", SHAPE)];
  const loss = perceptualLoss(NET, x, y);
  const [slope] = gradients(loss, [x]);
  const session = await engine.createSession(writeOnnx({ loss, slope: slope! }, { parameters: "inputs" }));
  const target = Float32Array.from({ length: ELEMENTS }, () => 2 * rng.uniform() - 1);
  const noise = rng.fillNormal(new Float32Array(ELEMENTS));
  const at = async (picture: Float32Array) => {
    const results = await session.run({ ...weights, x: floats(SHAPE, picture), y: floats(SHAPE, target) });
    return { loss: Number(results.loss!.data[0]), slope: results.slope!.data as Float32Array };
  };
  const moved = (distance: number) => target.map((value, i) => value + distance * noise[i]!);

  it("is 0 for equal pictures and grows with the distance", async () => {
    expect((await at(target)).loss).toBe(0);
    const [near, far] = [await at(moved(0.05)), await at(moved(0.5))];
    expect(near.loss).toBeGreaterThan(0);
    expect(far.loss).toBeGreaterThan(2 * near.loss);
  });

  it("has the gradient of its differences", async () => {
    const picture = moved(0.3);
    const { slope } = await at(picture);
    const direction = rng.fillNormal(new Float32Array(ELEMENTS));
    const step = 1e-3;
    const [ahead, behind] = await Promise.all(
      [step, -step].map((size) => at(picture.map((value, i) => value + size * direction[i]!))),
    );
    const expected = (ahead!.loss - behind!.loss) / (2 * step);
    const actual = slope.reduce((sum, value, i) => sum + value * direction[i]!, 0);
    // Kinks of ReLU6 and of the absolute value lie within the step.
    expect(Math.abs(actual / expected - 1)).toBeLessThan(0.05);
  });
});
