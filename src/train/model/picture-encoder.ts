/** @file Pictures of a data set brought to their training size and through the frozen autoencoder. */
import { createHash } from "node:crypto";
import type { AutoencoderFolder } from "../../checkpoint/autoencoder-folder.ts";
import { writeOnnx } from "../../graph/onnx-writer.ts";
import { input } from "../../graph/value.ts";
import { chooseBucket } from "../../image/aspect-buckets.ts";
import { patchify } from "../../image/patchify.ts";
import { type ImageSize, type RgbImage, toPlanes } from "../../image/pixels.ts";
import { coverAndCrop, squareCrop, stretch } from "../../image/resize.ts";
import { encodePixels } from "../../model/autoencoder.ts";
import { pixelsPerLatent } from "../../model/autoencoder-config.ts";
import { ParameterScope } from "../../model/parameter-scope.ts";
import type { Engine, Session } from "../../runtime/engine.ts";
import { type Grid, gridText } from "../../sequence/segments.ts";
import { matchSimilarSizes } from "./edit-captions.ts";

export interface EncodingOptions {
  /** Latent pixels on a side of an image token. */
  readonly patch: number;
  /** Sides of a square picture, in pixels. */
  readonly imageSize: number;
  readonly aspectBuckets: boolean;
  /** Stretch pictures of a sample that nearly match in ratio to one size first, as editing data wants it. */
  readonly matchSizes: boolean;
}

/** A picture's clean tokens [height * width * 64] in raster order. */
export interface PictureTokens {
  readonly grid: Grid;
  readonly tokens: Float32Array;
}

/** Pictures in a run of the encoder: memory of the engine grows with it, speed no longer does. */
const ENCODER_BATCH = 8;

export class PictureEncoder {
  readonly #autoencoder: AutoencoderFolder;
  readonly #session: Session;
  readonly #options: EncodingOptions;

  private constructor(autoencoder: AutoencoderFolder, session: Session, options: EncodingOptions) {
    this.#autoencoder = autoencoder;
    this.#session = session;
    this.#options = options;
  }

  static async create(
    engine: Engine,
    autoencoder: AutoencoderFolder,
    options: EncodingOptions,
  ): Promise<PictureEncoder> {
    const side = pixelsPerLatent(autoencoder.config) * options.patch;
    const { inChannels } = autoencoder.config;
    const pixels = input("pixels", "float32", ["pictures", inChannels, `${side}*height`, `${side}*width`]);
    const scope = new ParameterScope(autoencoder.tensors.weightPlan);
    const { mean } = encodePixels(scope, autoencoder.config, pixels);
    const model = writeOnnx({ mean }, { parameters: "initializers" });
    const session = await engine.createSession(model, autoencoder.tensors.weightSource);
    return new PictureEncoder(autoencoder, session, options);
  }

  /** Pixels on a side of a token. */
  get pixelsPerToken(): number {
    return pixelsPerLatent(this.#autoencoder.config) * this.#options.patch;
  }

  /** Numbers of a token. */
  get width(): number {
    return this.#autoencoder.config.latentChannels * this.#options.patch ** 2;
  }

  /** Hash over the encoder and how pictures are brought to size. */
  async key(): Promise<string> {
    const { imageSize, patch, aspectBuckets: buckets, matchSizes } = this.#options;
    const hash = createHash("sha256").update(JSON.stringify({ imageSize, patch, buckets, matchSizes }));
    hash.update(JSON.stringify(this.#autoencoder.configJson));
    const { entries } = this.#autoencoder.tensors;
    for (const name of [...entries.keys()].filter((entry) => entry.startsWith("encoder.")).sort()) {
      const { data } = await this.#autoencoder.tensors.readStored(name);
      hash.update(name).update(new Uint8Array(data.buffer, data.byteOffset, data.byteLength));
    }
    return hash.digest("hex");
  }

  /** Tokens that pictures of one sample have, height and width. */
  gridsOf(pictures: readonly RgbImage[]): readonly Grid[] {
    return this.#targets(pictures).map(({ target }) => this.#gridOf(target));
  }

  /** Tokens of each sample's pictures, all pictures of one grid through the encoder together. */
  async encode(samples: readonly (readonly RgbImage[])[]): Promise<PictureTokens[][]> {
    const encoded = samples.map((): PictureTokens[] => []);
    const waiting = new Map<string, Waiting[]>();
    for (const [sample, pictures] of samples.entries()) {
      for (const [image, { stretched, target }] of this.#targets(pictures).entries()) {
        const grid = this.#gridOf(target);
        const key = gridText(grid);
        const group = waiting.get(key) ?? [];
        const picture = this.#toTrainingSize(pictures[image]!, stretched, target);
        group.push({ into: encoded[sample]!, image, grid, picture });
        waiting.set(key, group);
        if (group.length === ENCODER_BATCH) await this.#encodeBatch(group.splice(0));
      }
    }
    for (const group of waiting.values()) if (group.length > 0) await this.#encodeBatch(group);
    return encoded;
  }

  async dispose(): Promise<void> {
    await this.#session.dispose();
  }

  /** Size of each picture of a sample in training, and what it is stretched to before it is cropped. */
  #targets(pictures: readonly RgbImage[]): { stretched: ImageSize; target: ImageSize }[] {
    const { imageSize, aspectBuckets: buckets, matchSizes } = this.#options;
    const own = pictures.map(({ height, width }): ImageSize => [height, width]);
    const sizes = matchSizes && own.length > 1 ? matchSimilarSizes(own) : own;
    return sizes.map((stretched) => ({
      stretched,
      target: buckets
        ? chooseBucket(stretched, imageSize, this.pixelsPerToken).gridPixels
        : [imageSize, imageSize],
    }));
  }

  #gridOf([height, width]: ImageSize): Grid {
    return [height / this.pixelsPerToken, width / this.pixelsPerToken];
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
    const { patch } = this.#options;
    const { inChannels, latentChannels, shiftFactor, scalingFactor } = this.#autoencoder.config;
    const { grid, picture: first } = batch[0]!;
    const area = inChannels * first.height * first.width;
    const pixels = new Float32Array(batch.length * area);
    batch.forEach(({ picture }, index) => {
      toPlanes(picture, pixels, index * area);
    });
    const shape = [batch.length, inChannels, first.height, first.width];
    const { mean } = await this.#session.run({ pixels: { dtype: "float32", shape, data: pixels } });
    const latents = (mean!.data as Float32Array).map((value) => (value - shiftFactor) * scalingFactor);
    const all = patchify(latents, { images: batch.length, channels: latentChannels, grid, patch });
    const elements = all.length / batch.length;
    batch.forEach(({ into, image }, index) => {
      into[image] = { grid, tokens: all.slice(index * elements, (index + 1) * elements) };
    });
  }
}

/** A picture on its way to the encoder, and where its tokens go. */
interface Waiting {
  readonly into: PictureTokens[];
  readonly image: number;
  readonly grid: Grid;
  readonly picture: RgbImage;
}
