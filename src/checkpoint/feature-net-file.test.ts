/** @file A made-up feature net from its file: normalisations folded, features as plain loops compute them. */
import { describe, expect, it } from "vitest";
import { featureParameters } from "../../test/support/feature-parameters.ts";
import { ModelFormatError } from "../errors.ts";
import { MemorySource } from "../formats/byte-source.ts";
import { legacyTorchBytes } from "../formats/test-legacy-torch.ts";
import { type FeatureNetConfig, featureLayers } from "../model/feature-net.ts";
import { CounterRng } from "../tensor/counter-rng.ts";
import { readFeatureNet } from "./feature-net-file.ts";

const CONFIG: FeatureNetConfig = {
  stem: 4,
  blocks: [
    { expand: 1, kernel: 3, stride: 1, channels: 4 },
    { expand: 2, kernel: 5, stride: 2, channels: 6 },
  ],
  taps: [0, 1],
};

/** Random tensors under the published names. */
function tensorsOf(config: FeatureNetConfig) {
  const rng = new CounterRng(2);
  const draw = (count: number) => rng.fillNormal(new Float32Array(count));
  const entries = featureLayers(config).flatMap(({ convolution, normalization, shape }) => {
    const [outputs] = shape;
    const count = shape.reduce((a, b) => a * b, 1);
    const vector = (data: Float32Array) => ({ shape: [outputs], data });
    return [
      [`${convolution}.weight`, { shape, data: draw(count) }],
      [`${normalization}.weight`, vector(draw(outputs))],
      [`${normalization}.bias`, vector(draw(outputs))],
      [`${normalization}.running_mean`, vector(draw(outputs))],
      [`${normalization}.running_var`, vector(draw(outputs).map((value) => value * value))],
    ] as const;
  });
  return Object.fromEntries(entries);
}

describe("readFeatureNet", () => {
  it("folds each normalisation into the convolution before it", async () => {
    const tensors = tensorsOf(CONFIG);
    const weights = await readFeatureNet(new MemorySource(legacyTorchBytes(tensors)), CONFIG);
    expect(weights.map(({ name, shape }) => ({ name, shape }))).toEqual(featureParameters(CONFIG));

    const [stem, bias] = weights;
    const part = (name: string) => tensors[`_bn0.${name}`]!.data;
    const kernel = tensors["_conv_stem.weight"]!.data;
    for (let channel = 0; channel < 4; channel++) {
      const factor = part("weight")[channel]! / Math.sqrt(part("running_var")[channel]! + 1e-3);
      expect(stem!.data[27 * channel + 5]).toBeCloseTo(kernel[27 * channel + 5]! * factor, 5);
      expect(bias!.data[channel]).toBeCloseTo(
        part("bias")[channel]! - part("running_mean")[channel]! * factor,
        5,
      );
    }
  });

  it("refuses the weights of another net", async () => {
    const other = new MemorySource(legacyTorchBytes(tensorsOf({ ...CONFIG, stem: 8 })));
    await expect(readFeatureNet(other, CONFIG)).rejects.toThrow(ModelFormatError);
  });
});
