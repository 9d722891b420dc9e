/** @file Pictures to image tokens and back, through the autoencoder (docs/nextstep-spec.md 2.3, 2.4). */
import { EngineError } from "../errors.ts";
import { patchify, unpatchify } from "../image/patchify.ts";
import { fromPlanes, type RgbImage } from "../image/pixels.ts";
import { pixelsPerLatent } from "../model/autoencoder-config.ts";
import { isComputedAtOnce, type PictureSize } from "../model/autoencoder-memory.ts";
import { decoderPasses, encoderPasses } from "../model/autoencoder-passes.ts";
import { tokenWidth } from "../model/config.ts";
import type { Grid } from "../sequence/segments.ts";
import { untilAborted } from "./abort.ts";
import { runInBands } from "./banded-autoencoder.ts";
import type { ModelSessions } from "./model-sessions.ts";
import { timed } from "./model-work.ts";
import { PicturePlanes } from "./picture-planes.ts";

/** Neither black nor white: where nothing is drawn yet. */
const NEUTRAL = 128;

export interface DecodedPicture {
  /** What the decoder was given: scaled back and shifted. [channels, h, w] */
  readonly latents: Float32Array;
  /** [channels, h, w] */
  readonly latentShape: readonly [number, number, number];
  /** Decoder output before clamping, about [-1, 1]. [3, H, W] */
  readonly planes: Float32Array;
  readonly pixels: RgbImage;
}

/** Pixels on a side of an image token. */
export function pixelsPerToken({ autoencoder, folder }: ModelSessions): number {
  return pixelsPerLatent(autoencoder.config) * folder.config.latentPatchSize;
}

/**
 * The tokens of a picture. The posterior is taken at its mean, also where the configuration would sample it: a picture
 * is then read the same every time.
 * @param planes [3, H, W] in [-1, 1], sides multiples of {@link pixelsPerToken}
 * @returns tokens [h * w, 64], and the latents [channels, H / 8, W / 8] that they are cut from
 */
export async function encodePicture(
  sessions: ModelSessions,
  planes: Float32Array,
  size: PictureSize,
  signal?: AbortSignal,
): Promise<{ tokens: Float32Array; latents: Float32Array }> {
  const { config } = sessions.folder;
  const { scalingFactor, shiftFactor } = sessions.autoencoder.config;
  const [height, width] = size;
  const mean = await (isComputedAtOnce(sessions.autoencoder.config, "encode", size)
    ? encodeAtOnce(sessions, planes, size, signal)
    : encodeInBands(sessions, planes, size, signal));
  const latents = mean.map((value) => Math.fround(value - shiftFactor) * scalingFactor);
  const side = pixelsPerToken(sessions);
  const tokens = patchify(latents, {
    images: 1,
    channels: config.latentChannels,
    grid: [height / side, width / side],
    patch: config.latentPatchSize,
  });
  return { tokens, latents };
}

async function encodeAtOnce(
  sessions: ModelSessions,
  planes: Float32Array,
  size: PictureSize,
  signal: AbortSignal | undefined,
): Promise<Float32Array> {
  const { inChannels } = sessions.autoencoder.config;
  const session = await sessions.encoder(signal);
  const pixels = { dtype: "float32", shape: [1, inChannels, ...size], data: planes } as const;
  const result = await untilAborted(session.run({ pixels }), sessions.signal(signal));
  return result.mean?.data as Float32Array;
}

async function encodeInBands(
  sessions: ModelSessions,
  planes: Float32Array,
  [height, width]: PictureSize,
  signal: AbortSignal | undefined,
): Promise<Float32Array> {
  const { config } = sessions.autoencoder;
  const picture = PicturePlanes.of(planes, config.inChannels, height, width);
  const blocks = picture.unshuffled(config.pixelShuffle);
  const moments = await runInBands(sessions, encoderPasses(config), blocks, { signal });
  const shape = [1, config.latentChannels, moments.height, moments.width];
  // The mean stands in front of the variance.
  const mean = moments.joined().slice(0, config.latentChannels * moments.height * moments.width);
  return sessions.latentNorm(mean, shape, signal);
}

/** Whether a picture of this grid needs {@link ModelSessions.decoder}; larger ones are decoded in bands. */
export function isDecodedAtOnce(sessions: ModelSessions, [rows, columns]: Grid): boolean {
  const side = pixelsPerToken(sessions);
  return isComputedAtOnce(sessions.autoencoder.config, "decode", [rows * side, columns * side]);
}

async function decodeAtOnce(
  sessions: ModelSessions,
  latents: Float32Array,
  latentShape: readonly [number, number, number],
  signal: AbortSignal | undefined,
): Promise<Float32Array> {
  const session = await sessions.decoder(signal);
  const fed = { dtype: "float32", shape: [1, ...latentShape], data: latents } as const;
  const result = await untilAborted(session.run({ latents: fed }), sessions.signal(signal));
  return result.pixels?.data as Float32Array;
}

interface DecodeOptions {
  readonly signal: AbortSignal | undefined;
  readonly progress: ((done: number) => void) | undefined;
}

async function decodeInBands(
  sessions: ModelSessions,
  latents: Float32Array,
  [channels, height, width]: readonly [number, number, number],
  { signal, progress }: DecodeOptions,
): Promise<Float32Array> {
  const given = PicturePlanes.of(latents, channels, height, width);
  const { config } = sessions.autoencoder;
  const blocks = await runInBands(sessions, decoderPasses(config), given, { signal, progress });
  return blocks.shuffled(config.pixelShuffle).joined();
}

/**
 * The picture of tokens [h * w, 64].
 * @param progress called with the part that is done, up to 1, between the bands of a picture that is decoded in bands.
 * @throws AbortedError as soon as the signal says so; EngineError when the decoder gives numbers that are not finite.
 */
export async function decodePicture(
  sessions: ModelSessions,
  tokens: Float32Array,
  [rows, columns]: Grid,
  signal?: AbortSignal,
  progress?: (done: number) => void,
): Promise<DecodedPicture> {
  const { latentChannels, latentPatchSize } = sessions.folder.config;
  const { scalingFactor, shiftFactor } = sessions.autoencoder.config;
  const latents = unpatchify(tokens, {
    images: 1,
    channels: latentChannels,
    grid: [rows, columns],
    patch: latentPatchSize,
  }).map((value) => Math.fround(value / scalingFactor) + shiftFactor);
  const latentShape = [latentChannels, rows * latentPatchSize, columns * latentPatchSize] as const;
  const { result: planes, seconds } = await timed(() =>
    isDecodedAtOnce(sessions, [rows, columns])
      ? decodeAtOnce(sessions, latents, latentShape, signal)
      : decodeInBands(sessions, latents, latentShape, { signal, progress }),
  );
  sessions.onWork({ kind: "decoded", seconds });
  if (!planes.every(Number.isFinite)) {
    throw new EngineError("gives numbers that are not finite", {
      where: "the picture's decoder",
      remedy: "the autoencoder's weights are damaged, or given tokens lie far outside what it knows",
    });
  }
  const side = pixelsPerToken(sessions);
  return { latents, latentShape, planes, pixels: fromPlanes(planes, [rows * side, columns * side]) };
}

/** The picture so far: whole rows of tokens decoded, grey below. tokens [drawn, 64] */
export async function previewPicture(
  sessions: ModelSessions,
  tokens: Float32Array,
  [rows, columns]: Grid,
  signal?: AbortSignal,
): Promise<RgbImage> {
  const side = pixelsPerToken(sessions);
  const [height, width] = [rows * side, columns * side];
  const data = new Uint8Array(3 * height * width).fill(NEUTRAL);
  const rowLength = columns * tokenWidth(sessions.folder.config);
  const drawn = Math.min(rows, Math.floor(tokens.length / rowLength));
  if (drawn > 0) {
    const finished = tokens.subarray(0, drawn * rowLength);
    const { pixels } = await decodePicture(sessions, finished, [drawn, columns], signal);
    data.set(pixels.data);
  }
  return { width, height, data };
}
