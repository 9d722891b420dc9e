/** @file Kind `vae`: encoding and decoding pictures (docs/nextstep-spec.md 2.3). */

import { join } from "node:path";
import { z } from "zod";
import { DataFormatError } from "../../../src/errors.ts";
import { readImage } from "../../../src/files/decode-image.ts";
import {
  type DecodedPicture,
  decodePicture,
  encodePicture,
  pixelsPerToken,
} from "../../../src/generate/image-coder.ts";
import type { ModelSessions } from "../../../src/generate/model-sessions.ts";
import { input } from "../../../src/graph/value.ts";
import { patchify } from "../../../src/image/patchify.ts";
import { toPlanes } from "../../../src/image/pixels.ts";
import { encodePixels } from "../../../src/model/autoencoder.ts";
import { pixelsPerLatent } from "../../../src/model/autoencoder-config.ts";
import { ParameterScope } from "../../../src/model/parameter-scope.ts";
import type { HostTensor } from "../../../src/runtime/engine.ts";
import { joinedFloats } from "../../../src/tensor/joined.ts";
import type { CaseCheck } from "./case-check.ts";
import { type ParityCase, parseFields } from "./parity-case.ts";
import type { ParityContext } from "./parity-context.ts";

const fields = z.looseObject({ image: z.string().optional() });

export async function runVaeCase(test: ParityCase, check: CaseCheck, context: ParityContext): Promise<void> {
  const { image } = parseFields(fields, test.json, test.name);
  const sessions = await context.sessions(test.model);
  const pixels: HostTensor = {
    dtype: "float32",
    shape: check.shapeOf("pixels"),
    data: await check.floats("pixels"),
  };
  if (image !== undefined) await comparePicture(test, check, image, pixels);

  const encoder = await sessions.encoder();
  const { mean } = await encoder.run({ pixels });
  await check.compare("mean", mean as HostTensor);
  if (check.has("logvar")) await check.compare("logvar", await logvarOf(context, sessions, pixels));

  const [pictures = 0, , height = 0, width = 0] = pixels.shape;
  const encoded = [];
  for (let picture = 0; picture < pictures; picture++) {
    const planes = slice(pixels.data as Float32Array, picture, pictures);
    encoded.push(await encodePicture(sessions, planes, [height, width]));
  }
  const latents = joinedFloats(encoded.map((one) => one.latents));
  const latentShape = (mean as HostTensor).shape;
  await check.compare("latents", { shape: latentShape, data: latents });
  await compareDecoded(check, sessions, "reconstructed", { shape: latentShape, data: latents });
  if (check.has("z")) {
    const z = { shape: check.shapeOf("z"), data: await check.floats("z") };
    await compareDecoded(check, sessions, "decoded", z);
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

/** The encoder's other half, which generation has no use for. pixels [n, 3, H, W] -> [n, latentChannels, h, w] */
async function logvarOf(
  context: ParityContext,
  { autoencoder: { config, tensors } }: ModelSessions,
  pixels: HostTensor,
): Promise<HostTensor> {
  const side = pixelsPerLatent(config) * (config.patchSize ?? 1);
  const port = input("pixels", "float32", ["n", config.inChannels, `${side}*height`, `${side}*width`]);
  const { logvar } = encodePixels(new ParameterScope(), config, port);
  const results = await context.compute({ logvar }, tensors, { pixels });
  return results.logvar as HostTensor;
}

/** Decodes scaled latents [n, latentChannels, h, w], each picture as the tokens it would be drawn in. */
async function compareDecoded(
  check: CaseCheck,
  sessions: ModelSessions,
  name: string,
  latents: { readonly shape: readonly number[]; readonly data: Float32Array },
): Promise<void> {
  const [pictures = 0, channels = 0, rows = 0, columns = 0] = latents.shape;
  const { latentPatchSize: patch } = sessions.folder.config;
  const grid = [rows / patch, columns / patch] as const;
  const decoded: DecodedPicture[] = [];
  for (let picture = 0; picture < pictures; picture++) {
    const own = slice(latents.data, picture, pictures);
    const tokens = patchify(own, { images: 1, channels, patch, grid });
    decoded.push(await decodePicture(sessions, tokens, grid));
  }
  const side = pixelsPerToken(sessions);
  const [height, width] = [grid[0] * side, grid[1] * side];
  await check.compare(name, {
    shape: [pictures, 3, height, width],
    data: joinedFloats(decoded.map(({ planes }) => planes)),
  });
  if (!check.has(`${name}_u8`)) return;
  // A single picture may be stored without the axis of pictures.
  const isAlone = check.shapeOf(`${name}_u8`).length === 3 && pictures === 1;
  await check.compare(`${name}_u8`, {
    shape: isAlone ? [height, width, 3] : [pictures, height, width, 3],
    data: Uint8Array.from(decoded.flatMap(({ pixels }) => [...pixels.data])),
  });
}

function slice(data: Float32Array, picture: number, pictures: number): Float32Array {
  const size = data.length / pictures;
  return data.subarray(picture * size, (picture + 1) * size);
}
