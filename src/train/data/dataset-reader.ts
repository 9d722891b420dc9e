/** @file Random access to the samples of tars: captions, pictures, metadata (docs/nextstep-spec.md 5). */

import { readdir, stat } from "node:fs/promises";
import { join } from "node:path";
import { DataFormatError, InputError } from "../../errors.ts";
import { decodeImage } from "../../files/decode-image.ts";
import { FileSource } from "../../files/file-source.ts";
import { readTarIndex, type TarEntry } from "../../formats/tar.ts";
import { groupTarSamples, type TarSample } from "../../formats/tar-sample.ts";
import type { RgbImage } from "../../image/pixels.ts";
import { ByteBoundedCache } from "./byte-bounded-cache.ts";
import { lastAtMost, startsOf } from "./epoch-order.ts";
import {
  captionsOf,
  MAX_JSON_BYTES,
  parseSampleJson,
  type SampleDescription,
  type WeightedCaption,
} from "./sample-json.ts";

export interface DatasetOptions {
  /** Memory for decoded pictures; 0 decodes at every visit. */
  readonly cacheBytes?: number;
}

/** What a sample says about itself. */
export interface SampleText {
  readonly key: string;
  /** The tar and the key, for messages. */
  readonly where: string;
  readonly captions: readonly WeightedCaption[];
  readonly metadata: Readonly<Record<string, unknown>>;
  /** The whole description, for captions under other keys. */
  readonly description: SampleDescription;
}

export interface Sample extends SampleText {
  readonly images: readonly RgbImage[];
}

/** Pictures decoded before are worth this much memory unless told otherwise. */
const DEFAULT_CACHE_BYTES = 256 * 1024 * 1024;

/** Largest picture member. Even losslessly, the 64 megapixels that are decoded at most take no more. */
const MAX_IMAGE_BYTES = 512 * 1024 * 1024;

/** Tars that are kept open; systems allow a process about a thousand files. */
const MAX_OPEN_TARS = 64;

/** The samples of one or several tars, indexed once; any sample is read when asked for. */
export class TarDataset implements AsyncDisposable {
  readonly #paths: readonly string[];
  readonly #samples: readonly (readonly TarSample[])[];
  readonly #starts: readonly number[];
  readonly #pictures: ByteBoundedCache<number, readonly RgbImage[]>;
  readonly #open = new Map<number, OpenTar>();

  private constructor(
    paths: readonly string[],
    samples: readonly (readonly TarSample[])[],
    cacheBytes: number,
  ) {
    this.#paths = paths;
    this.#samples = samples;
    this.#starts = startsOf(samples.map((list) => list.length));
    this.#pictures = new ByteBoundedCache(cacheBytes);
  }

  /**
   * Reads the headers of all tars.
   * @param path a tar, a folder that holds tars, or a list of either.
   * @throws InputError when a path or its tars are missing; DataFormatError when a tar is damaged.
   */
  static async open(path: string | readonly string[], options: DatasetOptions = {}): Promise<TarDataset> {
    const paths = await listTars(path);
    const samples: TarSample[][] = [];
    for (const tar of paths) {
      const source = await FileSource.open(tar);
      try {
        const groups = groupTarSamples(await readTarIndex(source));
        samples.push(
          groups.filter(
            (group) => group.json !== undefined || group.text !== undefined || group.images.length > 0,
          ),
        );
      } finally {
        await source.close();
      }
    }
    return new TarDataset(paths, samples, options.cacheBytes ?? DEFAULT_CACHE_BYTES);
  }

  /** Number of samples. */
  get length(): number {
    return this.#starts.at(-1)!;
  }

  /** Number of samples of each tar, as the epoch order wants them. */
  get tarLengths(): readonly number[] {
    return this.#samples.map((list) => list.length);
  }

  /** The tars, in the order of sample indices. */
  get tars(): readonly string[] {
    return this.#paths;
  }

  /**
   * Captions and metadata of a sample, without its pictures.
   * @throws InputError for an index that is none; DataFormatError when the description is not one.
   */
  async textAt(index: number): Promise<SampleText> {
    const { tar, sample, where } = this.#locate(index);
    let description: SampleDescription = {};
    if (sample.json !== undefined) {
      description = parseSampleJson(await this.#read(tar, sample.json, MAX_JSON_BYTES, where), where);
    } else if (sample.text !== undefined) {
      const bytes = await this.#read(tar, sample.text, MAX_JSON_BYTES, where);
      description = { caption: new TextDecoder().decode(bytes).trim() };
    }
    return {
      key: sample.key,
      where,
      captions: captionsOf(description, where),
      metadata: description.metadata ?? {},
      description,
    };
  }

  /** The pictures of a sample as they are stored. Throws InputError for an index that is none. */
  async encodedImagesAt(index: number): Promise<Uint8Array[]> {
    const { tar, sample, where } = this.#locate(index);
    return Promise.all(sample.images.map((entry) => this.#read(tar, entry, MAX_IMAGE_BYTES, where)));
  }

  /** The decoded pictures of a sample. Throws as `encodedImagesAt`, and DataFormatError for a damaged picture. */
  async imagesAt(index: number): Promise<readonly RgbImage[]> {
    const kept = this.#pictures.get(index);
    if (kept !== undefined) return kept;
    const { where } = this.#locate(index);
    const encoded = await this.encodedImagesAt(index);
    const images = await Promise.all(encoded.map((bytes) => decodeImage(bytes, where)));
    this.#pictures.set(
      index,
      images,
      images.reduce((sum, image) => sum + image.data.byteLength, 0),
    );
    return images;
  }

  /** A whole sample. Throws as `textAt` and `imagesAt`. */
  async sampleAt(index: number): Promise<Sample> {
    const [text, images] = await Promise.all([this.textAt(index), this.imagesAt(index)]);
    return { ...text, images };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const open = [...this.#open.values()];
    this.#open.clear();
    for (const tar of open) await (await tar.source).close();
  }

  #locate(index: number): { tar: number; sample: TarSample; where: string } {
    if (!Number.isInteger(index) || index < 0 || index >= this.length) {
      throw new InputError(`there is no sample ${index}`, {
        remedy: `samples are numbered 0 to ${this.length - 1}`,
      });
    }
    const tar = lastAtMost(this.#starts, index);
    const sample = this.#samples[tar]![index - this.#starts[tar]!]!;
    return { tar, sample, where: `${this.#paths[tar]!}: ${sample.key}` };
  }

  async #read(tar: number, entry: TarEntry, maxBytes: number, where: string): Promise<Uint8Array> {
    if (entry.size > maxBytes) {
      throw new DataFormatError(`${entry.name} has ${entry.size} bytes`, {
        where,
        remedy: `at most ${maxBytes} are read`,
      });
    }
    const open = this.#acquire(tar);
    open.readers++;
    try {
      return await (await open.source).read(entry.offset, entry.size);
    } finally {
      open.readers--;
      await this.#closeSurplus();
    }
  }

  #acquire(tar: number): OpenTar {
    const known = this.#open.get(tar);
    const open = known ?? { source: FileSource.open(this.#paths[tar]!), readers: 0 };
    // Re-insertion keeps the map in the order of last use.
    this.#open.delete(tar);
    this.#open.set(tar, open);
    if (known === undefined) {
      // A tar that cannot be opened now may be there at the next read.
      open.source.catch(() => {
        if (this.#open.get(tar) === open) this.#open.delete(tar);
      });
    }
    return open;
  }

  async #closeSurplus(): Promise<void> {
    for (const [tar, open] of this.#open) {
      if (this.#open.size <= MAX_OPEN_TARS) return;
      if (open.readers > 0) continue;
      this.#open.delete(tar);
      await (await open.source).close();
    }
  }
}

interface OpenTar {
  readonly source: Promise<FileSource>;
  readers: number;
}

/**
 * The tars that a path means: itself, or those directly in a folder, by name.
 * @throws InputError when there is no such path or a folder without tars.
 */
async function listTars(path: string | readonly string[]): Promise<string[]> {
  const tars: string[] = [];
  for (const one of typeof path === "string" ? [path] : path) {
    const kind = await stat(one).catch(() => undefined);
    if (kind === undefined) throw new InputError("there is no such file or folder", { where: one });
    if (!kind.isDirectory()) {
      tars.push(one);
      continue;
    }
    const names = await readdir(one);
    const inside = names.filter((name) => name.endsWith(".tar") && !name.startsWith(".")).sort();
    if (inside.length === 0) {
      const splits = names.includes("train") ? `, for instance ${join(one, "train")}` : "";
      throw new InputError("the folder holds no .tar file", {
        where: one,
        remedy: `name one that does${splits}`,
      });
    }
    tars.push(...inside.map((name) => join(one, name)));
  }
  return tars;
}
