/**
 * @file Image tokens of a data set by the frozen autoencoder. What fits in memory is encoded once, before training, and
 * kept in files that a later start reads; the rest is encoded when its batch comes.
 */
import { createHash } from "node:crypto";
import { mkdir } from "node:fs/promises";
import { dirname, join } from "node:path";
import type { AutoencoderFolder } from "../../checkpoint/autoencoder-folder.ts";
import { AbortedError, DataFormatError } from "../../errors.ts";
import { openSafetensors, writeSafetensors } from "../../files/safetensors-files.ts";
import { tensorsToWrite } from "../../formats/tensor-source.ts";
import { writeOnnx } from "../../graph/onnx-writer.ts";
import { input } from "../../graph/value.ts";
import { aspectBuckets, chooseBucket } from "../../image/aspect-buckets.ts";
import { patchify } from "../../image/patchify.ts";
import { type ImageSize, PIXELS_PER_TOKEN, type RgbImage, toPlanes } from "../../image/pixels.ts";
import { coverAndCrop, squareCrop, stretch } from "../../image/resize.ts";
import { encodePixels } from "../../model/autoencoder.ts";
import { pixelsPerLatent } from "../../model/autoencoder-config.ts";
import { ParameterScope } from "../../model/parameter-scope.ts";
import type { Engine, Session } from "../../runtime/engine.ts";
import { type Grid, gridText } from "../../sequence/segments.ts";
import { float32Tensor, toFloat32 } from "../../tensor/tensor.ts";
import type { TarDataset } from "../data/dataset-reader.ts";
import { usableOr } from "../data/sample-error.ts";
import { matchSimilarSizes } from "./edit-captions.ts";
import { hasItsDigest, writeDigest } from "./file-digest.ts";

export interface LatentOptions {
  /** Latent pixels on a side of an image token. */
  readonly patch: number;
  /** Sides of a square picture, in pixels. */
  readonly imageSize: number;
  readonly aspectBuckets: boolean;
  /** Stretch pictures of a sample that nearly match in ratio to one size first, as editing data wants it. */
  readonly matchSizes: boolean;
  /** Bound on tokens kept, in bytes. */
  readonly cacheBytes: number;
  /** Folder for the files of what is kept. */
  readonly folder: string;
  readonly signal?: AbortSignal;
}

/** A picture of a data set: which sample, and which of its pictures. */
export interface PicturePlace {
  readonly sample: number;
  readonly image: number;
}

/** A picture's clean tokens [height * width * 64] in raster order. */
export interface PictureTokens {
  readonly grid: Grid;
  readonly tokens: Float32Array;
}

/** Pictures in a run of the encoder: memory of the engine grows with it, speed no longer does. */
const ENCODER_BATCH = 8;
/** Samples of a cache file: what a killed start loses at most. */
const CHUNK = 512;

export class LatentStore {
  readonly #source: TarDataset;
  readonly #autoencoder: AutoencoderFolder;
  readonly #encoder: Session;
  readonly #options: LatentOptions;
  readonly #kept = new Map<number, readonly PictureTokens[]>();

  private constructor(
    source: TarDataset,
    autoencoder: AutoencoderFolder,
    encoder: Session,
    options: LatentOptions,
  ) {
    this.#source = source;
    this.#autoencoder = autoencoder;
    this.#encoder = encoder;
    this.#options = options;
  }

  /**
   * Encodes what fits, or reads it from files of an earlier start.
   * @throws AbortedError when the signal fires; files written so far stay.
   */
  static async create(
    engine: Engine,
    source: TarDataset,
    autoencoder: AutoencoderFolder,
    options: LatentOptions,
  ): Promise<LatentStore> {
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
    const store = new LatentStore(source, autoencoder, encoder, options);
    await store.#fill();
    return store;
  }

  /** Tokens of each picture of a sample, height and width. */
  async gridsOf(sample: number): Promise<readonly Grid[]> {
    const kept = this.#kept.get(sample);
    if (kept !== undefined) return kept.map(({ grid }) => grid);
    const pictures = await this.#source.imagesAt(sample);
    return this.#targets(pictures).map(({ target: [height, width] }) => [
      height / PIXELS_PER_TOKEN,
      width / PIXELS_PER_TOKEN,
    ]);
  }

  /** Tokens of pictures. Must not be changed. */
  async load(places: readonly PicturePlace[]): Promise<PictureTokens[]> {
    const missing = [...new Set(places.map(({ sample }) => sample))].filter((one) => !this.#kept.has(one));
    const fresh = await this.#encode(missing);
    return places.map(({ sample, image }) => {
      const tokens = (this.#kept.get(sample) ?? fresh.get(sample))?.[image];
      if (tokens === undefined) {
        throw new DataFormatError(`has no picture ${image}`, { where: `sample ${sample}` });
      }
      return tokens;
    });
  }

  /** Frees the encoder; what is kept can still be loaded. */
  async dispose(): Promise<void> {
    await this.#encoder.dispose();
  }

  get #width(): number {
    return this.#autoencoder.config.latentChannels * this.#options.patch ** 2;
  }

  async #fill(): Promise<void> {
    const { cacheBytes, signal, folder, imageSize } = this.#options;
    const key = await this.#encoderKey();
    const mostTokens = Math.max(...aspectBuckets(imageSize).map(({ grid }) => grid[0] * grid[1]));
    let bytes = 0;
    for (let first = 0; first < this.#source.length; first += CHUNK) {
      const samples = Array.from(
        { length: Math.min(CHUNK, this.#source.length - first) },
        (_, offset) => first + offset,
      );
      const chunk = await this.#chunkKey(key, samples);
      bytes += 4 * chunk.pictures * mostTokens * this.#width;
      // Whoever comes first stays: in a cycle through everything, replacing old by new would never hit.
      if (bytes > cacheBytes) return;
      if (signal?.aborted === true) throw new AbortedError("encoding of the pictures was stopped");
      const path = join(folder, `tokens-${chunk.hash}.safetensors`);
      const tokens = (await this.#readChunk(path, first)) ?? (await this.#writeChunk(path, first, samples));
      for (const [sample, pictures] of tokens) this.#kept.set(sample, pictures);
    }
  }

  /** Hash over the encoder and how pictures are brought to size. */
  async #encoderKey(): Promise<string> {
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

  /** Hash over all that the tokens of these samples depend on, and how many pictures they have. */
  async #chunkKey(
    encoderKey: string,
    samples: readonly number[],
  ): Promise<{ hash: string; pictures: number }> {
    const hash = createHash("sha256").update(encoderKey);
    let pictures = 0;
    for (const sample of samples) {
      // Stored bytes of a faulty sample change nothing: it has no tokens, and is found faulty when its visit comes.
      const stored = await usableOr(this.#source.encodedImagesAt(sample), []);
      for (const bytes of stored) {
        hash.update(`${sample}:${bytes.length};`).update(bytes);
        pictures++;
      }
    }
    return { hash: hash.digest("hex").slice(0, 16), pictures };
  }

  /** Tensors are named `OFFSET/IMAGE` and have the shape [height, width, 64]. */
  async #readChunk(path: string, first: number): Promise<Map<number, PictureTokens[]> | undefined> {
    // A file that is damaged, or whose digest was not written any more, is encoded again to the same tokens.
    if (!(await hasItsDigest(path))) return undefined;
    const file = await openSafetensors(path);
    try {
      const found = new Map<number, PictureTokens[]>();
      for (const name of file.tensors.keys()) {
        const [offset, image] = name.split("/").map(Number) as [number, number];
        const tensor = await file.readTensor(name);
        const [height, width] = tensor.shape as [number, number, number];
        const pictures = found.get(first + offset) ?? [];
        pictures[image] = { grid: [height, width], tokens: toFloat32(tensor) };
        found.set(first + offset, pictures);
      }
      return found;
    } finally {
      await file.close();
    }
  }

  async #writeChunk(
    path: string,
    first: number,
    samples: readonly number[],
  ): Promise<Map<number, PictureTokens[]>> {
    const usable: number[] = [];
    for (const sample of samples) {
      if ((await usableOr(this.#source.imagesAt(sample), undefined)) !== undefined) usable.push(sample);
    }
    const encoded = await this.#encode(usable);
    const tensors = [...encoded].flatMap(([sample, pictures]) =>
      pictures.map(
        ({ grid, tokens }, image) =>
          [`${sample - first}/${image}`, float32Tensor([...grid, this.#width], tokens)] as const,
      ),
    );
    await mkdir(dirname(path), { recursive: true });
    await writeSafetensors(path, tensorsToWrite(tensors));
    await writeDigest(path);
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

  /** All pictures of samples at their training size, those of one grid through the encoder together. */
  async #encode(samples: readonly number[]): Promise<Map<number, PictureTokens[]>> {
    const encoded = new Map<number, PictureTokens[]>();
    const waiting = new Map<string, Waiting[]>();
    for (const sample of samples) {
      const pictures = await this.#source.imagesAt(sample);
      encoded.set(sample, []);
      for (const [image, { stretched, target }] of this.#targets(pictures).entries()) {
        const grid: Grid = [target[0] / PIXELS_PER_TOKEN, target[1] / PIXELS_PER_TOKEN];
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

/** A picture on its way to the encoder, and where its tokens go. */
interface Waiting {
  readonly into: PictureTokens[];
  readonly image: number;
  readonly grid: Grid;
  readonly picture: RgbImage;
}
