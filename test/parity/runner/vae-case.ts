/** @file Kind `vae`: encoding and decoding pictures (docs/nextstep-spec.md 2.3). */
import { join } from "node:path";
import { z } from "zod";
import type { AutoencoderFolder } from "../../../src/checkpoint/autoencoder-folder.ts";
import { DataFormatError } from "../../../src/errors.ts";
import { readImage } from "../../../src/files/decode-image.ts";
import { input } from "../../../src/graph/value.ts";
import { fromPlanes, toPlanes } from "../../../src/image/pixels.ts";
import { decodeLatents, encodePixels } from "../../../src/model/autoencoder.ts";
import { pixelsPerLatent } from "../../../src/model/autoencoder-config.ts";
import { ParameterScope } from "../../../src/model/parameter-scope.ts";
import type { HostTensor } from "../../../src/runtime/engine.ts";
import type { CaseCheck } from "./case-check.ts";
import { type ParityCase, parseFields } from "./parity-case.ts";
import type { ParityContext } from "./parity-context.ts";

const fields = z.looseObject({ image: z.string().optional() });

export async function runVaeCase(test: ParityCase, check: CaseCheck, context: ParityContext): Promise<void> {
  const { image } = parseFields(fields, test.json, test.name);
  const { autoencoder } = await context.model(test.model);
  if (autoencoder === undefined) {
    throw new DataFormatError("has no autoencoder", { where: test.model ?? test.name });
  }
  const pixels: HostTensor = {
    dtype: "float32",
    shape: check.shapeOf("pixels"),
    data: await check.floats("pixels"),
  };
  if (image !== undefined) await comparePicture(test, check, image, pixels);

  const { mean, logvar } = await encode(context, autoencoder, pixels);
  await check.compare("mean", mean);
  await check.compare("logvar", logvar);
  const { scalingFactor, shiftFactor } = autoencoder.config;
  // The posterior of the goldens is its mean, whatever the configuration says of sampling.
  const latents = map(mean, (x) => Math.fround(Math.fround(x - shiftFactor) * scalingFactor));
  await check.compare("latents", latents);
  const z: HostTensor = { dtype: "float32", shape: check.shapeOf("z"), data: await check.floats("z") };
  for (const [name, source] of [
    ["decoded", z],
    ["reconstructed", latents],
  ] as const) {
    const unscaled = map(source, (x) => Math.fround(Math.fround(x / scalingFactor) + shiftFactor));
    const decoded = await decode(context, autoencoder, unscaled);
    await check.compare(name, decoded);
    if (check.has(`${name}_u8`))
      await check.compare(`${name}_u8`, toBytes(decoded, check.shapeOf(`${name}_u8`)));
  }
}

/** The picture file must give the very pixels that the goldens start from. */
async function comparePicture(
  test: ParityCase,
  check: CaseCheck,
  image: string,
  pixels: HostTensor,
): Promise<void> {
  const picture = await readImage(join(test.folder, safeFileName(image, test.name)));
  check.equal("picture size", [picture.height, picture.width], pixels.shape.slice(-2));
  await check.compare("pixels", { shape: pixels.shape, data: toPlanes(picture) });
}

/** A file beside the case. @throws DataFormatError for a name that leads elsewhere. */
export function safeFileName(name: string, where: string): string {
  if (!/^[\w. -]+$/.test(name) || name.startsWith(".")) {
    throw new DataFormatError(`${JSON.stringify(name)} is not a file beside the case`, { where });
  }
  return name;
}

/** pixels [n, 3, H, W] to mean and logvar, each [n, latentChannels, h, w]. */
export async function encode(
  context: ParityContext,
  { config, tensors }: AutoencoderFolder,
  pixels: HostTensor,
): Promise<{ mean: HostTensor; logvar: HostTensor }> {
  const scope = new ParameterScope();
  const side = pixelsPerLatent(config) * (config.patchSize ?? 1);
  const port = input("pixels", "float32", ["n", config.inChannels, `${side}*height`, `${side}*width`]);
  const { mean, logvar } = encodePixels(scope, config, port);
  const results = await context.compute({ mean, logvar }, tensors, { pixels });
  return { mean: results.mean as HostTensor, logvar: results.logvar as HostTensor };
}

/** latents [n, latentChannels, h, w], unscaled, to pixels [n, 3, H, W]. */
async function decode(
  context: ParityContext,
  { config, tensors }: AutoencoderFolder,
  z: HostTensor,
): Promise<HostTensor> {
  const scope = new ParameterScope();
  const port = input("z", "float32", ["n", config.latentChannels, "height", "width"]);
  const results = await context.compute({ pixels: decodeLatents(scope, config, port) }, tensors, { z });
  return results.pixels as HostTensor;
}

function map(tensor: HostTensor, change: (x: number) => number): HostTensor {
  return { ...tensor, data: (tensor.data as Float32Array).map(change) };
}

/** Pictures [n, 3, H, W] as bytes, channels last. */
export function toBytes(
  pictures: HostTensor,
  shape: readonly number[],
): { shape: readonly number[]; data: Uint8Array } {
  const [count = 0, channels = 0, height = 0, width = 0] = pictures.shape;
  const size = channels * height * width;
  const data = new Uint8Array(count * size);
  for (let i = 0; i < count; i++) {
    data.set(fromPlanes(pictures.data as Float32Array, [height, width], i * size).data, i * size);
  }
  // A single picture may be stored without the axis of pictures.
  return {
    shape: shape.length === 3 && count === 1 ? [height, width, channels] : [count, height, width, channels],
    data,
  };
}
