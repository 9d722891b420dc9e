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
import { aspectBuckets } from "../../image/aspect-buckets.ts";
import type { Engine } from "../../runtime/engine.ts";
import type { Grid } from "../../sequence/segments.ts";
import { float32Tensor, toFloat32 } from "../../tensor/tensor.ts";
import type { TarDataset } from "../data/dataset-reader.ts";
import { usableOr } from "../data/sample-error.ts";
import { hasItsDigest, writeDigest } from "./file-digest.ts";
import { type EncoderOptions, PictureEncoder, type PictureTokens } from "./picture-encoder.ts";

export interface LatentOptions extends EncoderOptions {
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

/** Samples of a cache file: what a killed start loses at most. */
const CHUNK = 512;

export class LatentStore {
  readonly #source: TarDataset;
  readonly #autoencoder: AutoencoderFolder;
  readonly #encoder: PictureEncoder;
  readonly #options: LatentOptions;
  readonly #kept = new Map<number, readonly PictureTokens[]>();

  private constructor(
    source: TarDataset,
    autoencoder: AutoencoderFolder,
    encoder: PictureEncoder,
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
    const encoder = await PictureEncoder.create(engine, source, autoencoder, options);
    const store = new LatentStore(source, autoencoder, encoder, options);
    await store.#fill();
    return store;
  }

  /** Tokens of each picture of a sample, height and width. */
  async gridsOf(sample: number): Promise<readonly Grid[]> {
    const kept = this.#kept.get(sample);
    if (kept !== undefined) return kept.map(({ grid }) => grid);
    return this.#encoder.gridsOf(sample);
  }

  /** Tokens of pictures. Must not be changed. */
  async load(places: readonly PicturePlace[]): Promise<PictureTokens[]> {
    const missing = [...new Set(places.map(({ sample }) => sample))].filter((one) => !this.#kept.has(one));
    const fresh = await this.#encoder.encode(missing);
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
    const encoded = await this.#encoder.encode(usable);
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
}
