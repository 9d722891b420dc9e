/** @file A folder of pictures or texts to tars of samples (docs/nextstep-spec.md 5). */

import { createHash } from "node:crypto";
import { join } from "node:path";
import { AbortedError, ConfigError, InputError } from "../../errors.ts";
import { quoted } from "../../formats/quoted.ts";
import { editSources } from "./edit-sources.ts";
import { type FolderFiles, walkFiles } from "./file-walk.ts";
import { DEFAULT_FOLDER_DATA_TYPE, type FolderDataType } from "./folder-data-types.ts";
import { heldOutNames, type SplitSample } from "./held-out-split.ts";
import { OutputFolder } from "./output-folder.ts";
import { countReasons, type PassedOver, passedOver, UnusableSource } from "./passed-over.ts";
import { pictureSources } from "./picture-sources.ts";
import { MAX_JSON_BYTES } from "./sample-json.ts";
import { SampleWriter, type ShardTotals } from "./sample-writer.ts";
import type { FolderSources, PreparedSample, SourceSample } from "./source-sample.ts";
import { textSources } from "./text-sources.ts";

/** What offers the samples of each type. */
const SOURCES = {
  image_text_pair: pictureSources,
  image_editing: editSources,
  nlp: textSources,
} as const satisfies Record<FolderDataType, (folder: string, files: FolderFiles) => Promise<FolderSources>>;

export interface FolderDataOptions {
  /** Folder with the files, searched with its sub-folders. */
  readonly folder: string;
  /** Folder to make; must not exist or be empty. */
  readonly out: string;
  /** Default: "image_text_pair". */
  readonly type?: FolderDataType;
  /**
   * Share of samples to hold out, above 0 and below 1: `out` then holds `train/` and `heldout/`. What is held out
   * depends on names; samples with the same picture or text are never on both sides. Without it, nothing is.
   */
  readonly heldOut?: number;
  readonly signal?: AbortSignal;
  readonly onProgress?: (progress: {
    /** Files are compared before they are packed when some are held out. */
    readonly stage: "comparing" | "packing";
    readonly done: number;
    readonly total: number;
  }) => void;
}

/** `samples`, `tars` and `bytes` count what is to be trained on. */
export interface FolderDataResult extends ShardTotals {
  readonly folder: string;
  readonly type: FolderDataType;
  /** Null when nothing was to be held out. */
  readonly heldOut: ShardTotals | null;
  /** Every file and row that is in no sample. */
  readonly passedOver: readonly PassedOver[];
  /** How many were passed over for each reason, most frequent first. */
  readonly reasons: Readonly<Record<string, number>>;
}

/**
 * Packs a folder into tars. Layouts of each type stand in docs/data.md. What cannot be used is passed over and named
 * in the result.
 * @throws InputError when the folder is missing or holds not one usable sample, and when the disk is full; ConfigError
 *   for a share out of range or an `out` that is not empty; DataFormatError for a damaged table; AbortedError when
 *   cancelled. Nothing is left behind then.
 */
export async function buildFolderData(options: FolderDataOptions): Promise<FolderDataResult> {
  return new FolderBuild(options).run();
}

class FolderBuild {
  readonly #options: FolderDataOptions;
  readonly #type: FolderDataType;
  readonly #passedOver: PassedOver[] = [];

  constructor(options: FolderDataOptions) {
    const { heldOut, type = DEFAULT_FOLDER_DATA_TYPE } = options;
    if (heldOut !== undefined && !(heldOut > 0 && heldOut < 1)) {
      throw new ConfigError(`${heldOut} is no share`, {
        where: "held-out share",
        remedy: "give a number above 0 and below 1",
      });
    }
    this.#options = options;
    this.#type = type;
  }

  async run(): Promise<FolderDataResult> {
    const { folder, out, heldOut: share, signal } = this.#options;
    const files = await walkFiles(folder, signal);
    const sources = await SOURCES[this.#type](folder, files);
    this.#passedOver.push(...files.passedOver, ...sources.passedOver);

    await using output = await OutputFolder.create(out);
    const { samples, heldOut } =
      share === undefined
        ? { samples: sources.samples, heldOut: new Set<string>() }
        : await this.#split(sources.samples, share);
    await using trainWriter = new SampleWriter(
      share === undefined ? output.workPath : join(output.workPath, "train"),
    );
    await using heldOutWriter = new SampleWriter(join(output.workPath, "heldout"));
    for await (const [{ name }, { json, images }] of this.#prepare("packing", samples)) {
      const key = createHash("sha256").update(name).digest("hex").slice(0, 32);
      await (heldOut.has(name) ? heldOutWriter : trainWriter).add(key, json, images);
    }
    const totals = await trainWriter.close();
    const heldOutTotals = await heldOutWriter.close();
    if (totals.samples + heldOutTotals.samples === 0) throw this.#nothingUsable();
    await output.commit();
    return {
      folder: output.path,
      type: this.#type,
      ...totals,
      heldOut: share === undefined ? null : heldOutTotals,
      passedOver: this.#passedOver,
      reasons: countReasons(this.#passedOver),
    };
  }

  /** The samples that can be used, and the names of those that are held out. */
  async #split(
    samples: readonly SourceSample[],
    share: number,
  ): Promise<{ samples: readonly SourceSample[]; heldOut: ReadonlySet<string> }> {
    const usable: SourceSample[] = [];
    const compared: SplitSample[] = [];
    for await (const [sample, { contents }] of this.#prepare("comparing", samples)) {
      usable.push(sample);
      compared.push({ name: sample.name, contents });
    }
    const heldOut = heldOutNames(compared, share);
    if (heldOut.size === 0 && usable.length > 0) {
      throw new InputError("all of its samples share a picture or a text, so that none can be held out", {
        where: this.#options.folder,
        remedy: "add others, or build without a held-out share",
      });
    }
    return { samples: usable, heldOut };
  }

  /** Reads samples one after the other; those that cannot be used are passed over. */
  async *#prepare(
    stage: "comparing" | "packing",
    samples: readonly SourceSample[],
  ): AsyncGenerator<readonly [SourceSample, PreparedSample]> {
    const { signal, onProgress, out } = this.#options;
    for (const [done, sample] of samples.entries()) {
      onProgress?.({ stage, done, total: samples.length });
      if (signal?.aborted) throw new AbortedError("the data set was not finished", { where: out });
      try {
        yield [sample, await readSample(sample)];
      } catch (error) {
        if (!(error instanceof UnusableSource)) throw error;
        this.#passedOver.push(passedOver(sample.name, error));
      }
    }
    onProgress?.({ stage, done: samples.length, total: samples.length });
    if (signal?.aborted) throw new AbortedError("the data set was not finished", { where: out });
  }

  #nothingUsable(): InputError {
    const { folder } = this.#options;
    const reasons = Object.entries(countReasons(this.#passedOver));
    const [first] = this.#passedOver;
    if (first === undefined) {
      return new InputError("is empty", { where: folder, remedy: "docs/data.md shows the layouts" });
    }
    const counts = reasons.map(([reason, count]) => `${count} ${reason}`).join(", ");
    return new InputError(`holds no sample of type ${this.#type} that can be used: ${counts}`, {
      where: folder,
      remedy: `for instance ${quoted(first.name)}: ${first.detail ?? first.reason}; docs/data.md shows the layouts`,
    });
  }
}

async function readSample(sample: SourceSample): Promise<PreparedSample> {
  const prepared = await sample.read();
  if (Buffer.byteLength(JSON.stringify(prepared.json)) > MAX_JSON_BYTES) {
    throw new UnusableSource(
      "text that is too long",
      `at most ${MAX_JSON_BYTES} bytes of JSON are read again`,
    );
  }
  return prepared;
}
