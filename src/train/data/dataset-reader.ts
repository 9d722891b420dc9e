/** @file Random access to the samples of tars: captions, pictures, metadata (docs/nextstep-spec.md 5). */

import { createHash } from "node:crypto";
import { DataFormatError, InputError } from "../../errors.ts";
import { decodeImage } from "../../files/decode-image.ts";
import { FileSource } from "../../files/file-source.ts";
import { readTarIndex, type TarEntry } from "../../formats/tar.ts";
import { groupTarSamples, isTrainable, type TarSample } from "../../formats/tar-sample.ts";
import { decodeText } from "../../formats/text.ts";
import type { RgbImage } from "../../image/pixels.ts";
import { ByteBoundedCache } from "./byte-bounded-cache.ts";
import { lastAtMost, startsOf } from "./epoch-order.ts";
import { onSample, type SamplePlace, samplePlaceText } from "./sample-error.ts";
import {
  captionsOf,
  MAX_JSON_BYTES,
  parseSampleJson,
  type SampleDescription,
  type WeightedCaption,
} from "./sample-json.ts";
import { listTars } from "./tar-files.ts";

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
/** Pictures of a sample, and bytes of them together: a sample is in memory as a whole. */
const MAX_SAMPLE_IMAGES = 256;
const MAX_SAMPLE_BYTES = 1024 * 1024 * 1024;

/** Read at every start of a run: a minute of a fast disk. */
const MAX_DIGESTED_BYTES = 16 * 1024 ** 3;

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
        samples.push(groupTarSamples(await readTarIndex(source)).filter(isTrainable));
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

  /** Number of pictures of all samples. */
  get pictures(): number {
    return this.#samples.flat().reduce((sum, { images }) => sum + images.length, 0);
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
   * Digest of the names, sizes and bytes of all members of all samples, in order. Of members beyond 16 GiB in all the
   * bytes are left out. Throws InputError when a tar can no longer be read.
   */
  async fingerprint(): Promise<string> {
    const hash = createHash("sha256");
    let left = MAX_DIGESTED_BYTES;
    for (const [tar, samples] of this.#samples.entries()) {
      for (const { key, json, text, images } of samples) {
        hash.update(JSON.stringify(key));
        for (const entry of [json, text, ...images]) {
          hash.update(JSON.stringify(entry === undefined ? null : [entry.name, entry.size]));
          if (entry === undefined || entry.size > Math.min(left, MAX_IMAGE_BYTES)) continue;
          hash.update(await this.#read(tar, entry, MAX_IMAGE_BYTES));
          left -= entry.size;
        }
      }
    }
    return hash.digest("hex");
  }

  /** Tar and key of a sample. Throws InputError for an index that is none. */
  placeOf(index: number): SamplePlace {
    const { tar, sample } = this.#locate(index);
    return { tar: this.#paths[tar]!, key: sample.key };
  }

  /**
   * Captions and metadata of a sample, without its pictures. Captions stand in `KEY.json`; where it has none, it is
   * metadata and the caption is `KEY.txt`.
   * @throws InputError for an index that is none; SampleError when the description is not one.
   */
  async textAt(index: number): Promise<SampleText> {
    const { tar, sample, place } = this.#locate(index);
    const where = samplePlaceText(place);
    return onSample(place, async () => {
      const json = sample.json && (await this.#read(tar, sample.json, MAX_JSON_BYTES));
      const own: SampleDescription = json === undefined ? {} : parseSampleJson(json, where);
      const ownCaptions = captionsOf(own, where);
      if (sample.text === undefined || ownCaptions.length > 0) {
        const metadata = own.metadata ?? {};
        return { key: sample.key, where, captions: ownCaptions, metadata, description: own };
      }
      const caption = decodeText(await this.#read(tar, sample.text, MAX_JSON_BYTES), sample.text.name).trim();
      const description = { ...own, caption };
      return {
        key: sample.key,
        where,
        captions: captionsOf({ caption }, where),
        metadata: own.metadata ?? own,
        description,
      };
    });
  }

  /**
   * The pictures of a sample as they are stored.
   * @throws InputError for an index that is none; SampleError when they are too many or too large.
   */
  async encodedImagesAt(index: number): Promise<Uint8Array[]> {
    const { tar, sample, place } = this.#locate(index);
    const { images } = sample;
    return onSample(place, () => {
      const bytes = images.reduce((sum, { size }) => sum + size, 0);
      if (images.length > MAX_SAMPLE_IMAGES || bytes > MAX_SAMPLE_BYTES) {
        throw new DataFormatError(`has ${images.length} pictures of ${bytes} bytes`, {
          remedy: `a sample may have ${MAX_SAMPLE_IMAGES} pictures of ${MAX_SAMPLE_BYTES} bytes together`,
        });
      }
      return Promise.all(images.map((entry) => this.#read(tar, entry, MAX_IMAGE_BYTES)));
    });
  }

  /** The decoded pictures of a sample. Throws as `encodedImagesAt`, and SampleError for a damaged picture. */
  async imagesAt(index: number): Promise<readonly RgbImage[]> {
    const kept = this.#pictures.get(index);
    if (kept !== undefined) return kept;
    const { sample, place } = this.#locate(index);
    const encoded = await this.encodedImagesAt(index);
    const images = await onSample(place, async () => {
      const decoded: RgbImage[] = [];
      let left = MAX_SAMPLE_BYTES;
      // One after the other, so that a sample of many huge pictures is refused before it fills the memory.
      for (const [image, bytes] of encoded.entries()) {
        const where = sample.images[image]!.name;
        const picture = await decodeImage(bytes, where);
        left -= picture.data.byteLength;
        if (left < 0) {
          throw new DataFormatError("the pictures of the sample take too much memory", {
            where,
            remedy: `at most ${MAX_SAMPLE_BYTES} bytes of pixels are decoded`,
          });
        }
        decoded.push(picture);
      }
      return decoded;
    });
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

  #locate(index: number): { tar: number; sample: TarSample; place: SamplePlace } {
    if (!Number.isInteger(index) || index < 0 || index >= this.length) {
      throw new InputError(`there is no sample ${index}`, {
        remedy: `samples are numbered 0 to ${this.length - 1}`,
      });
    }
    const tar = lastAtMost(this.#starts, index);
    const sample = this.#samples[tar]![index - this.#starts[tar]!]!;
    return { tar, sample, place: { tar: this.#paths[tar]!, key: sample.key } };
  }

  /** Throws DataFormatError for a member that is too large, InputError when the tar can no longer be read. */
  async #read(tar: number, entry: TarEntry, maxBytes: number): Promise<Uint8Array> {
    if (entry.size > maxBytes) {
      throw new DataFormatError(`has ${entry.size} bytes`, {
        where: entry.name,
        remedy: `at most ${maxBytes} are read`,
      });
    }
    const open = this.#acquire(tar);
    open.readers++;
    try {
      return await (await open.source).read(entry.offset, entry.size);
    } catch (cause) {
      // The member was whole when the tar was indexed: this is no fault of the sample, and others will meet it too.
      throw new InputError("can no longer be read", {
        where: this.#paths[tar]!,
        remedy: `it changed or went away while it was in use: ${cause instanceof Error ? cause.message : cause}`,
        cause,
      });
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
