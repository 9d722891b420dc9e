/** @file Pictures of samples at their training size, as tokens by the frozen autoencoder. */
import type { AutoencoderFolder } from "../../checkpoint/autoencoder-folder.ts";
import { AbortedError } from "../../errors.ts";
import { writeOnnx } from "../../graph/onnx-writer.ts";
import { input } from "../../graph/value.ts";
import { chooseBucket } from "../../image/aspect-buckets.ts";
import { patchify } from "../../image/patchify.ts";
import { type ImageSize, PIXELS_PER_TOKEN, type RgbImage, toPlanes } from "../../image/pixels.ts";
import { coverAndCrop, squareCrop, stretch } from "../../image/resize.ts";
import { encodePixels } from "../../model/autoencoder.ts";
import { pixelsPerLatent } from "../../model/autoencoder-config.ts";
import { ParameterScope } from "../../model/parameter-scope.ts";
import type { Engine, Session } from "../../runtime/engine.ts";
import { type Grid, gridText } from "../../sequence/segments.ts";
import type { TarDataset } from "../data/dataset-reader.ts";
import { matchSimilarSizes } from "./edit-captions.ts";

export interface EncoderOptions {
  /** Latent pixels on a side of an image token. */
  readonly patch: number;
  /** Sides of a square picture, in pixels. */
  readonly imageSize: number;
  readonly aspectBuckets: boolean;
  /** Stretch pictures of a sample that nearly match in ratio to one size first, as editing data wants it. */
  readonly matchSizes: boolean;
  readonly signal?: AbortSignal;
}

/** A picture's clean tokens [height * width * 64] in raster order. */
export interface PictureTokens {
  readonly grid: Grid;
  readonly tokens: Float32Array;
}

/** Pictures in a run of the encoder: memory of the engine grows with it, speed no longer does. */
const ENCODER_BATCH = 8;

export class PictureEncoder {
  readonly #source: TarDataset;
  readonly #autoencoder: AutoencoderFolder;
  readonly #encoder: Session;
  readonly #options: EncoderOptions;

  private constructor(
    source: TarDataset,
    autoencoder: AutoencoderFolder,
    encoder: Session,
    options: EncoderOptions,
  ) {
    this.#source = source;
    this.#autoencoder = autoencoder;
    this.#encoder = encoder;
    this.#options = options;
  }

  static async create(
    engine: Engine,
    source: TarDataset,
    autoencoder: AutoencoderFolder,
    options: EncoderOptions,
  ): Promise<PictureEncoder> {
    const side = pixelsPerLatent(autoencoder.config) * options.patch;
    const { inChannels } = autoencoder.config;
    const pixels = input("pixels", "float32", ["pictures", inChannels, `${side}*height`, `${side}*width`]);
    const { mean } = encodePixels(
      new ParameterScope(autoencoder.tensors.weightPlan),
      autoencoder.config,
      pixels,
    );
    const model = writeOnnx({ mean }, { parameters: "initializers" });
    const encoder = await engine.createSession(model, autoencoder.tensors.weightSource);
    return new PictureEncoder(source, autoencoder, encoder, options);
  }

  /** Tokens of each picture of a sample, height and width, without encoding it. */
  async gridsOf(sample: number): Promise<readonly Grid[]> {
    return this.#targets(await this.#source.imagesAt(sample)).map(({ target }) => gridOf(target));
  }

  async dispose(): Promise<void> {
    await this.#encoder.dispose();
  }

  /**
   * All pictures of samples at their training size, those of one grid through the encoder together.
   * @throws AbortedError when the signal fires.
   */
  async encode(samples: readonly number[]): Promise<Map<number, PictureTokens[]>> {
    const encoded = new Map<number, PictureTokens[]>();
    const waiting = new Map<string, Waiting[]>();
    for (const sample of samples) {
      const pictures = await this.#source.imagesAt(sample);
      encoded.set(sample, []);
      for (const [image, { stretched, target }] of this.#targets(pictures).entries()) {
        const grid = gridOf(target);
        const key = gridText(grid);
        const group = waiting.get(key) ?? [];
        const picture = this.#toTrainingSize(pictures[image]!, stretched, target);
        group.push({ into: encoded.get(sample)!, image, grid, picture });
        waiting.set(key, group);
        if (group.length === ENCODER_BATCH) await this.#encodeBatch(group.splice(0));
      }
    }
    for (const group of waiting.values()) if (group.length > 0) await this.#encodeBatch(group);
    return encoded;
  }

  /** Size of each picture of a sample in training, and what it is stretched to before it is cropped. */
  #targets(pictures: readonly RgbImage[]): { stretched: ImageSize; target: ImageSize }[] {
    const { imageSize, aspectBuckets: buckets, matchSizes } = this.#options;
    const own = pictures.map(({ height, width }): ImageSize => [height, width]);
    const sizes = matchSizes && own.length > 1 ? matchSimilarSizes(own) : own;
    return sizes.map((stretched) => ({
      stretched,
      target: buckets ? chooseBucket(stretched, imageSize).gridPixels : [imageSize, imageSize],
    }));
  }

  #toTrainingSize(picture: RgbImage, stretched: ImageSize, target: ImageSize): RgbImage {
    const isSize = ({ height, width }: RgbImage, size: ImageSize): boolean =>
      height === size[0] && width === size[1];
    const matched = isSize(picture, stretched) ? picture : stretch(picture, stretched, "bicubic");
    if (isSize(matched, target)) return matched;
    return this.#options.aspectBuckets
      ? coverAndCrop(matched, target)
      : squareCrop(matched, this.#options.imageSize);
  }

  /** Latents are (mean - shift) * scale: the published autoencoders are deterministic. */
  async #encodeBatch(batch: readonly Waiting[]): Promise<void> {
    if (this.#options.signal?.aborted === true) {
      throw new AbortedError("encoding of the pictures was stopped");
    }
    const { patch } = this.#options;
    const { inChannels, latentChannels, shiftFactor, scalingFactor } = this.#autoencoder.config;
    const { grid, picture: first } = batch[0]!;
    const area = inChannels * first.height * first.width;
    const pixels = new Float32Array(batch.length * area);
    batch.forEach(({ picture }, index) => {
      toPlanes(picture, pixels, index * area);
    });
    const shape = [batch.length, inChannels, first.height, first.width];
    const { mean } = await this.#encoder.run({ pixels: { dtype: "float32", shape, data: pixels } });
    const latents = (mean!.data as Float32Array).map((value) => (value - shiftFactor) * scalingFactor);
    const all = patchify(latents, { images: batch.length, channels: latentChannels, grid, patch });
    const elements = all.length / batch.length;
    batch.forEach(({ into, image }, index) => {
      into[image] = { grid, tokens: all.slice(index * elements, (index + 1) * elements) };
    });
  }
}

function gridOf([height, width]: ImageSize): Grid {
  return [height / PIXELS_PER_TOKEN, width / PIXELS_PER_TOKEN];
}

/** A picture on its way to the encoder, and where its tokens go. */
interface Waiting {
  readonly into: PictureTokens[];
  readonly image: number;
  readonly grid: Grid;
  readonly picture: RgbImage;
}
