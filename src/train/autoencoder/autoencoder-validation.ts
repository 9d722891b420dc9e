/** @file How well an autoencoder gives held-out pictures back, clean and with noise on the latents. */
import { writeOnnx } from "../../graph/onnx-writer.ts";
import { input } from "../../graph/value.ts";
import { fromPlanes, type RgbImage, toPlanes } from "../../image/pixels.ts";
import { decodeLatents, encodePixels } from "../../model/autoencoder.ts";
import { type AutoencoderConfig, pixelsPerLatent } from "../../model/autoencoder-config.ts";
import { ParameterScope } from "../../model/parameter-scope.ts";
import type { Engine, HostTensor, Session } from "../../runtime/engine.ts";
import { type NamedBuffer, weightFeeds } from "../optimizer/trainable.ts";
import { randomFor } from "../step-random.ts";

/** Strengths at which reconstruction is measured. */
export const VALIDATION_NOISE = Object.freeze([0, 0.2, 0.5] as const);

/** Pictures in a run of the engine. */
const BATCH = 8;

/** Encoder and decoder over square pictures of one size, weights given at every run. */
export class Reconstructor {
  readonly #config: AutoencoderConfig;
  readonly #side: number;
  readonly #encoder: Session;
  readonly #decoder: Session;

  private constructor(config: AutoencoderConfig, side: number, encoder: Session, decoder: Session) {
    this.#config = config;
    this.#side = side;
    this.#encoder = encoder;
    this.#decoder = decoder;
  }

  /** @param side of the pictures, in pixels. */
  static async create(engine: Engine, config: AutoencoderConfig, side: number): Promise<Reconstructor> {
    const latentSide = side / pixelsPerLatent(config);
    const pixels = input("pixels", "float32", ["pictures", config.inChannels, side, side]);
    const z = input("z", "float32", ["pictures", config.latentChannels, latentSide, latentSide]);
    const { mean } = encodePixels(new ParameterScope(), config, pixels);
    const decoded = decodeLatents(new ParameterScope(), config, z);
    const encoder = await engine.createSession(writeOnnx({ mean }, { parameters: "inputs" }));
    const decoder = await engine.createSession(writeOnnx({ decoded }, { parameters: "inputs" }));
    return new Reconstructor(config, side, encoder, decoder);
  }

  /**
   * @param strengths of noise on the latents; the noise of a picture depends on its place in the list alone.
   * @returns for each strength, each picture's planes [3, side, side] in about [-1, 1].
   */
  async reconstruct(
    pictures: readonly RgbImage[],
    strengths: readonly number[],
    weights: readonly NamedBuffer[],
  ): Promise<Float32Array[][]> {
    const encoderFeeds = feedsOf(this.#encoder, weights);
    const decoderFeeds = feedsOf(this.#decoder, weights);
    const area = this.#config.inChannels * this.#side ** 2;
    const results: Float32Array[][] = strengths.map(() => []);
    for (let start = 0; start < pictures.length; start += BATCH) {
      const batch = pictures.slice(start, start + BATCH);
      const data = new Float32Array(batch.length * area);
      batch.forEach((picture, index) => {
        toPlanes(picture, data, index * area);
      });
      const shape = [batch.length, this.#config.inChannels, this.#side, this.#side];
      const pixels: HostTensor = { dtype: "float32", shape, data };
      const { mean } = await this.#encoder.run({ ...encoderFeeds, pixels });
      const latents = mean!.data as Float32Array;
      const noise = new Float32Array(latents.length);
      const elements = latents.length / batch.length;
      batch.forEach((_picture, index) => {
        const place = noise.subarray(index * elements, (index + 1) * elements);
        randomFor(0, "validation", start + index).fillNormal(place);
      });
      for (const [level, strength] of strengths.entries()) {
        const noisy = latents.map((value, index) => value + strength * noise[index]!);
        const z: HostTensor = { dtype: "float32", shape: mean!.shape, data: noisy };
        const { decoded } = await this.#decoder.run({ ...decoderFeeds, z });
        const planes = decoded!.data as Float32Array;
        batch.forEach((_picture, index) => {
          results[level]!.push(planes.subarray(index * area, (index + 1) * area));
        });
      }
    }
    return results;
  }
}

function feedsOf(session: Session, weights: readonly NamedBuffer[]): Record<string, HostTensor> {
  const inputs = new Set(session.model.inputs.map(({ name }) => name));
  return weightFeeds(weights.filter(({ name }) => inputs.has(name)));
}

/** Peak signal-to-noise ratio in dB of planes in [-1, 1], the reconstruction being clamped to that range. */
export function peakSignalToNoise(reconstruction: Float32Array, target: Float32Array): number {
  let total = 0;
  for (let i = 0; i < target.length; i++) {
    const error = Math.min(1, Math.max(-1, reconstruction[i]!)) - target[i]!;
    total += error * error;
  }
  // The range is 2 wide.
  return -10 * Math.log10(Math.max(total / target.length / 4, 1e-12));
}

/** Mean PSNR in dB over pictures, named by the noise: `psnr@0`, `psnr@0.2`, `psnr@0.5`. */
export async function validateAutoencoder(
  reconstructor: Reconstructor,
  pictures: readonly RgbImage[],
  weights: readonly NamedBuffer[],
): Promise<Record<string, number>> {
  const levels = await reconstructor.reconstruct(pictures, VALIDATION_NOISE, weights);
  const targets = pictures.map((picture) => toPlanes(picture));
  return Object.fromEntries(
    VALIDATION_NOISE.map((strength, level) => {
      const ratios = targets.map((target, index) => peakSignalToNoise(levels[level]![index]!, target));
      return [`psnr@${strength}`, ratios.reduce((a, b) => a + b, 0) / ratios.length];
    }),
  );
}

/** Planes [3, side, side] as pictures. */
export function toPictures(planes: readonly Float32Array[], side: number): RgbImage[] {
  return planes.map((values) => fromPlanes(values, [side, side]));
}
