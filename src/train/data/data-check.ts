/** @file Reads all of a data set as training would, and tells what it would stumble over. */

import { AbortedError, DataFormatError, InputError, NextStepError } from "../../errors.ts";
import { FileSource } from "../../files/file-source.ts";
import { readTarIndex } from "../../formats/tar.ts";
import { groupTarSamples, isTrainable } from "../../formats/tar-sample.ts";
import { TarDataset } from "./dataset-reader.ts";
import { IMAGE_TAG_PATTERN } from "./image-tags.ts";
import { onSample, SampleError } from "./sample-error.ts";
import { kindOf, listTarSets, tarsAndCompressedIn } from "./tar-files.ts";

/** Something that training would refuse or leave out. */
export interface DataFault {
  readonly tar: string;
  /** The sample; null when the whole tar is at fault. */
  readonly key: string | null;
  readonly reason: string;
}

export interface DataCheckOptions {
  /** Called for every fault as it is found, so that any number of them takes no memory. */
  readonly onFault?: (fault: DataFault) => void;
  readonly signal?: AbortSignal;
  /** First all tars are indexed, then all samples decoded. */
  readonly onProgress?: (progress: {
    readonly stage: "indexing" | "decoding";
    readonly done: number;
    readonly total: number;
  }) => void;
}

export interface DataCheckResult {
  readonly path: string;
  readonly tars: number;
  readonly samples: number;
  readonly pictures: number;
  readonly faults: number;
  /** Members that are no part of any sample, by extension ("" for names without). */
  readonly passedOver: Readonly<Record<string, number>>;
}

/** Samples in work at once: as many pictures, 64 megapixels at most, are in memory. */
const PARALLEL = 4;

/** Pictures that are not taken from tars, whatever their bytes are. */
const OTHER_PICTURES = /\.(?:bmp|gif|tiff?|avif|hei[cf]|jxl|jp2|ico|svg|psd|tga|ppm|exr)$/i;

/**
 * Reads every description and decodes every picture of a tar, or of all tars at or below a folder.
 * @throws InputError when there are no tars or one vanishes; AbortedError when cancelled.
 */
export async function checkData(path: string, options: DataCheckOptions = {}): Promise<DataCheckResult> {
  return new DataCheck(path, options).run();
}

/** A tar that can be read, and what its samples are held against. */
interface CheckedTar {
  readonly path: string;
  readonly samples: number;
  readonly isTextOnly: boolean;
}

class DataCheck {
  readonly #path: string;
  readonly #options: DataCheckOptions;
  readonly #passedOver = new Map<string, number>();
  #pictures = 0;
  #faults = 0;

  constructor(path: string, options: DataCheckOptions) {
    this.#path = path;
    this.#options = options;
  }

  async run(): Promise<DataCheckResult> {
    const sets: string[][] = [];
    for (const set of await listTarSets(this.#path)) {
      sets.push((await kindOf(set)) === "folder" ? await tarsAndCompressedIn(set) : [set]);
    }
    const total = sets.flat().length;
    const readable: CheckedTar[] = [];
    let indexed = 0;
    for (const set of sets) {
      const found: Omit<CheckedTar, "isTextOnly">[] = [];
      let pictures = 0;
      for (const tar of set) {
        this.#refuseAborted();
        this.#options.onProgress?.({ stage: "indexing", done: indexed++, total });
        const counts = await this.#index(tar);
        if (counts === undefined) continue;
        found.push({ path: tar, samples: counts.samples });
        pictures += counts.pictures;
      }
      // A sample without a picture is a fault only where others have one.
      for (const tar of found) readable.push({ ...tar, isTextOnly: pictures === 0 });
    }
    const samples = readable.reduce((sum, tar) => sum + tar.samples, 0);
    let done = 0;
    for (const tar of readable) done = await this.#decode(tar, done, samples);
    this.#options.onProgress?.({ stage: "decoding", done, total: samples });
    return {
      path: this.#path,
      tars: total,
      samples,
      pictures: this.#pictures,
      faults: this.#faults,
      passedOver: Object.fromEntries([...this.#passedOver].sort(([, a], [, b]) => b - a)),
    };
  }

  /** Reads the headers; undefined when the tar cannot be read. */
  async #index(tar: string): Promise<{ samples: number; pictures: number } | undefined> {
    try {
      if ((await kindOf(tar)) !== "file") throw new InputError("is not a regular file");
      const source = await FileSource.open(tar);
      try {
        const entries = await readTarIndex(source);
        const groups = groupTarSamples(entries);
        const samples = groups.filter(isTrainable);
        this.#countPassedOver(
          entries.map(({ name }) => name),
          samples.flatMap(({ json, text, images }) =>
            [json, text, ...images].flatMap((entry) => (entry === undefined ? [] : [entry.name])),
          ),
        );
        this.#checkKeys(tar, groups);
        if (samples.length === 0) this.#report({ tar, key: null, reason: "holds no samples" });
        return { samples: samples.length, pictures: samples.flatMap(({ images }) => images).length };
      } finally {
        await source.close();
      }
    } catch (error) {
      if (!(error instanceof NextStepError)) throw error;
      const place = error.where?.startsWith(tar) === true ? error.where.slice(tar.length).trim() : "";
      const reason = `${place === "" ? "" : `${place}: `}${reasonOf(error)}`;
      this.#report({ tar, key: null, reason });
      return undefined;
    }
  }

  #checkKeys(tar: string, groups: ReturnType<typeof groupTarSamples>): void {
    const seen = new Set<string>();
    for (const { key, others } of groups) {
      if (seen.has(key)) {
        this.#report({ tar, key, reason: "has members that do not stand next to each other (sort the tar)" });
      }
      seen.add(key);
      for (const { name } of others) {
        if (OTHER_PICTURES.test(name)) {
          this.#report({
            tar,
            key,
            reason: `${name} is not taken (tars hold .jpg, .png and .webp pictures)`,
          });
        }
      }
    }
  }

  #countPassedOver(members: readonly string[], used: readonly string[]): void {
    const taken = new Set(used);
    for (const name of members) {
      if (taken.has(name)) continue;
      const extension = /\.([^./]{1,16})$/.exec(name)?.[1]?.toLowerCase() ?? "";
      this.#passedOver.set(extension, (this.#passedOver.get(extension) ?? 0) + 1);
    }
  }

  /** Checks all samples of a tar; returns how many are done then. */
  async #decode(tar: CheckedTar, doneBefore: number, total: number): Promise<number> {
    await using data = await TarDataset.open(tar.path, { cacheBytes: 0 });
    for (let first = 0; first < data.length; first += PARALLEL) {
      this.#refuseAborted();
      this.#options.onProgress?.({ stage: "decoding", done: doneBefore + first, total });
      const indices = Array.from({ length: Math.min(PARALLEL, data.length - first) }, (_, i) => first + i);
      const reasons = await Promise.all(indices.map((index) => this.#faultsOf(data, index, tar.isTextOnly)));
      for (const [offset, list] of reasons.entries()) {
        const place = data.placeOf(first + offset);
        for (const reason of list) this.#report({ ...place, reason });
      }
    }
    return doneBefore + data.length;
  }

  async #faultsOf(data: TarDataset, index: number, isTextOnly: boolean): Promise<string[]> {
    const reasons: string[] = [];
    const attempt = async (work: () => Promise<void>): Promise<void> => {
      try {
        await onSample(data.placeOf(index), work);
      } catch (error) {
        if (!(error instanceof SampleError)) throw error;
        reasons.push(reasonOf(error));
      }
    };
    let pictures: number | undefined;
    await attempt(async () => {
      pictures = (await data.imagesAt(index)).length;
      this.#pictures += pictures;
      if (pictures === 0 && !isTextOnly) throw new DataFormatError("has no picture");
    });
    await attempt(async () => {
      const { captions } = await data.textAt(index);
      if (captions.length === 0) throw new DataFormatError(isTextOnly ? "has no text" : "has no caption");
      if (pictures === undefined) return;
      for (const { text } of captions) {
        for (const [tag, digits] of text.matchAll(IMAGE_TAG_PATTERN)) {
          if (Number(digits) >= pictures) throw new DataFormatError(`names ${tag}, which it does not have`);
        }
      }
    });
    return reasons;
  }

  #report(fault: DataFault): void {
    this.#faults++;
    this.#options.onFault?.(fault);
  }

  #refuseAborted(): void {
    if (this.#options.signal?.aborted)
      throw new AbortedError("the check was not finished", { where: this.#path });
  }
}

function reasonOf({ reason, remedy }: NextStepError): string {
  return remedy === undefined ? reason : `${reason} (${remedy})`;
}
