/** @file Samples to a folder of tar shards: `KEY.json`, `KEY-0.png`, ... (docs/nextstep-spec.md 5). */

import { join } from "node:path";
import { InputError } from "../../errors.ts";
import { TarFile } from "../../files/tar-file.ts";
import { writeFailure } from "../../files/write-failure.ts";
import type { CaptionAlternatives } from "./sample-json.ts";

/** Description of a sample with pictures as it stands in `KEY.json`. */
export interface CaptionedJson {
  readonly caption: string;
  readonly caption_all?: CaptionAlternatives;
  readonly metadata?: Readonly<Record<string, unknown>>;
}

/** Description of a text without pictures. */
export interface TextJson {
  readonly text: string;
  readonly metadata?: Readonly<Record<string, unknown>>;
}

export type SampleJson = CaptionedJson | TextJson;

export interface SampleImage {
  readonly bytes: Uint8Array;
  readonly extension: "png" | "jpg" | "webp";
}

export interface ShardTotals {
  readonly samples: number;
  readonly tars: number;
  readonly bytes: number;
}

/** Few enough that a shard is quickly copied and re-read, many enough that there are not thousands of files. */
const SAMPLES_PER_TAR = 1000;

/** Writes samples to `folder/idx_0000_NNNN.tar`, beginning another shard every `samplesPerTar` samples. */
export class SampleWriter {
  readonly #folder: string;
  readonly #samplesPerTar: number;
  #writer: TarFile | undefined;
  #inTar = 0;
  #tars = 0;
  #samples = 0;
  #bytes = 0;

  constructor(folder: string, samplesPerTar = SAMPLES_PER_TAR) {
    this.#folder = folder;
    this.#samplesPerTar = samplesPerTar;
  }

  /** @throws InputError when the key has "." or "-" in it, which would split it on reading, or the disk is full. */
  async add(key: string, json: SampleJson, images: readonly SampleImage[]): Promise<void> {
    if (!/^[A-Za-z0-9_]+$/.test(key)) {
      throw new InputError(`"${key}" is not a sample key`, { remedy: "use letters, digits and underscores" });
    }
    try {
      await this.#write(key, json, images);
    } catch (cause) {
      throw writeFailure(cause, this.#folder);
    }
  }

  async #write(key: string, json: SampleJson, images: readonly SampleImage[]): Promise<void> {
    if (this.#writer === undefined) {
      const name = `idx_0000_${String(this.#tars).padStart(4, "0")}.tar`;
      this.#writer = await TarFile.create(join(this.#folder, name));
      this.#tars++;
    }
    await this.#writer.add(`${key}.json`, JSON.stringify(json));
    for (const [index, image] of images.entries()) {
      await this.#writer.add(`${key}-${index}.${image.extension}`, image.bytes);
    }
    this.#samples++;
    this.#inTar++;
    if (this.#inTar >= this.#samplesPerTar) await this.#closeTar();
  }

  /** Completes the last shard. Throws InputError when the disk is full. */
  async close(): Promise<ShardTotals> {
    try {
      await this.#closeTar();
    } catch (cause) {
      throw writeFailure(cause, this.#folder);
    }
    return { samples: this.#samples, tars: this.#tars, bytes: this.#bytes };
  }

  /** Gives up the shard at hand. Harmless after `close`. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.#writer?.discard();
    this.#writer = undefined;
  }

  async #closeTar(): Promise<void> {
    const writer = this.#writer;
    if (writer === undefined) return;
    this.#writer = undefined;
    await writer.close();
    this.#bytes += writer.byteLength;
    this.#inTar = 0;
  }
}
