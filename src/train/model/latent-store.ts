/**
 * @file Image tokens of a data set by the frozen autoencoder. What fits in memory is encoded when it is first asked
 * for, a chunk of neighbouring samples at a time, and kept in files that a later start reads; the rest is encoded
 * whenever its batch comes. A run that shows few samples at first begins at once.
 */
import { createHash } from "node:crypto";
import { mkdir } from "node:fs/promises";
import { dirname, join } from "node:path";
import type { AutoencoderFolder } from "../../checkpoint/autoencoder-folder.ts";
import { DataFormatError } from "../../errors.ts";
import { openSafetensors, writeSafetensors } from "../../files/safetensors-files.ts";
import { tensorsToWrite } from "../../formats/tensor-source.ts";
import { aspectBuckets } from "../../image/aspect-buckets.ts";
import type { Engine } from "../../runtime/engine.ts";
import type { Grid } from "../../sequence/segments.ts";
import { float32Tensor, toFloat32 } from "../../tensor/tensor.ts";
import type { TarDataset } from "../data/dataset-reader.ts";
import { usableOr } from "../data/sample-error.ts";
import { hasItsDigest, writeDigest } from "./file-digest.ts";
import { type EncodingOptions, PictureEncoder, type PictureTokens } from "./picture-encoder.ts";

export interface LatentOptions extends EncodingOptions {
  /** Bound on tokens kept, in bytes. */
  readonly cacheBytes: number;
  /** Folder for the files of what is kept. */
  readonly folder: string;
}

/** A picture of a data set: which sample, and which of its pictures. */
export interface PicturePlace {
  readonly sample: number;
  readonly image: number;
}

/** Samples with their pictures, as pixels and as they are stored. */
export type PictureSource = Pick<TarDataset, "length" | "imagesAt" | "encodedImagesAt">;

/** Samples of a cache file: what a killed run loses at most, and how long one may have to wait for a sample. */
const CHUNK = 64;

export class LatentStore {
  readonly #source: PictureSource;
  readonly #encoder: PictureEncoder;
  readonly #encoderKey: string;
  readonly #options: LatentOptions;
  readonly #kept = new Map<number, readonly PictureTokens[]>();
  /** Chunks that were asked for, kept or not. */
  readonly #opened = new Set<number>();
  #keptBytes = 0;

  private constructor(
    source: PictureSource,
    encoder: PictureEncoder,
    encoderKey: string,
    options: LatentOptions,
  ) {
    this.#source = source;
    this.#encoder = encoder;
    this.#encoderKey = encoderKey;
    this.#options = options;
  }

  static async create(
    engine: Engine,
    source: PictureSource,
    autoencoder: AutoencoderFolder,
    options: LatentOptions,
  ): Promise<LatentStore> {
    const encoder = await PictureEncoder.create(engine, autoencoder, options);
    return new LatentStore(source, encoder, await encoder.key(), options);
  }

  /** Tokens of each picture of a sample, height and width. */
  async gridsOf(sample: number): Promise<readonly Grid[]> {
    await this.#open(sample);
    const kept = this.#kept.get(sample);
    if (kept !== undefined) return kept.map(({ grid }) => grid);
    return this.#encoder.gridsOf(await this.#source.imagesAt(sample));
  }

  /** Tokens of pictures. Must not be changed. */
  async load(places: readonly PicturePlace[]): Promise<PictureTokens[]> {
    const samples = [...new Set(places.map(({ sample }) => sample))];
    for (const sample of samples) await this.#open(sample);
    const fresh = await this.#encode(samples.filter((sample) => !this.#kept.has(sample)));
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

  /** Encodes the chunk of a sample, or reads it from the file of an earlier start, if it still fits. */
  async #open(sample: number): Promise<void> {
    const chunk = Math.floor(sample / CHUNK);
    if (this.#opened.has(chunk)) return;
    this.#opened.add(chunk);
    const { cacheBytes, folder, imageSize } = this.#options;
    const { pixelsPerToken } = this.#encoder;
    const first = chunk * CHUNK;
    const samples = Array.from(
      { length: Math.min(CHUNK, this.#source.length - first) },
      (_, offset) => first + offset,
    );
    const { hash, pictures } = await this.#chunkKey(samples);
    const mostTokens = Math.max(
      ...aspectBuckets(imageSize, pixelsPerToken).map(({ grid }) => grid[0] * grid[1]),
    );
    const bytes = 4 * pictures * mostTokens * this.#encoder.width;
    // Whoever comes first stays: in a cycle through everything, replacing old by new would never hit.
    if (this.#keptBytes + bytes > cacheBytes) return;
    this.#keptBytes += bytes;
    const path = join(folder, `tokens-${hash}.safetensors`);
    const tokens = (await this.#readChunk(path, first)) ?? (await this.#writeChunk(path, first, samples));
    for (const [index, found] of tokens) this.#kept.set(index, found);
  }

  /** Hash over all that the tokens of these samples depend on, and how many pictures they have. */
  async #chunkKey(samples: readonly number[]): Promise<{ hash: string; pictures: number }> {
    const hash = createHash("sha256").update(this.#encoderKey);
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
          [`${sample - first}/${image}`, float32Tensor([...grid, this.#encoder.width], tokens)] as const,
      ),
    );
    await mkdir(dirname(path), { recursive: true });
    await writeSafetensors(path, tensorsToWrite(tensors));
    await writeDigest(path);
    return encoded;
  }

  async #encode(samples: readonly number[]): Promise<Map<number, PictureTokens[]>> {
    const pictures = [];
    for (const sample of samples) pictures.push(await this.#source.imagesAt(sample));
    const tokens = await this.#encoder.encode(pictures);
    return new Map(samples.map((sample, index) => [sample, tokens[index]!]));
  }
}
