/**
 * @file A file of the hub that is read once, from front to back, while it arrives: in parts over several connections,
 * a few of which are in memory at a time. Nothing of it is written, so that nothing outlasts the process either.
 */
import { DataFormatError, DownloadError } from "../errors.ts";
import { type ByteSource, checkRange } from "../formats/byte-source.ts";
import { gigabytes } from "../formats/gigabytes.ts";
import { PROGRESS_BYTES, TRIES } from "./fetch-file.ts";
import { askForBytes, type FileRequest, startOf } from "./file-answer.ts";
import { subjectText } from "./http-failure.ts";
import { type HubClient, passing } from "./hub-client.ts";
import { type Retry, retrying } from "./retry.ts";

/** Of one request: large enough that asking costs little, small enough for some to be in memory. */
const PART_BYTES = 8 * 1024 * 1024;
/** Parts that are in memory or on their way, the one that is being read among them. */
const PARTS = 5;

export interface ArrivingOptions extends FileRequest {
  readonly signal: AbortSignal | undefined;
  /** Told bytes that arrived. */
  readonly onBytes: (bytes: number) => void;
  readonly onRetry: (retry: Retry) => void;
}

/** Its content is not checked: whoever reads it to its end compares the digest. */
export class ArrivingFile implements ByteSource {
  readonly name: string;
  readonly byteLength: number;
  readonly #client: HubClient;
  readonly #options: ArrivingOptions;
  readonly #stop = new AbortController();
  readonly #signal: AbortSignal;
  /** From the one that is being read, in the order of the file. */
  readonly #parts: Promise<Uint8Array>[] = [];
  #asked = 0;
  #position = 0;

  constructor(client: HubClient, options: ArrivingOptions) {
    this.name = subjectText(options.subject);
    this.byteLength = options.file.bytes;
    this.#client = client;
    this.#options = options;
    const { signal } = options;
    this.#signal = signal === undefined ? this.#stop.signal : AbortSignal.any([signal, this.#stop.signal]);
  }

  /**
   * Each read begins where the one before it ended.
   * @throws DownloadError when a part cannot be fetched, or the server sends no parts; AbortedError.
   */
  async read(offset: number, length: number): Promise<Uint8Array<ArrayBuffer>> {
    checkRange(this, offset, length);
    if (offset !== this.#position) {
      throw new DataFormatError(
        `is read from byte ${offset}, but only what follows ${this.#position} is left`,
        {
          where: this.name,
        },
      );
    }
    const bytes = new Uint8Array(length);
    for (let done = 0; done < length; ) {
      this.#ask();
      const part = await this.#parts[0]!;
      const from = this.#position % PART_BYTES;
      const taken = part.subarray(from, from + length - done);
      bytes.set(taken, done);
      done += taken.length;
      this.#position += taken.length;
      if (from + taken.length === part.length) void this.#parts.shift();
    }
    return bytes;
  }

  async close(): Promise<void> {
    this.#stop.abort();
    await Promise.allSettled(this.#parts);
  }

  /** Asks for the parts that come next, so far ahead as is allowed. */
  #ask(): void {
    while (this.#parts.length < PARTS && this.#asked < this.byteLength) {
      const start = this.#asked;
      this.#asked = Math.min(start + PART_BYTES, this.byteLength);
      const part = this.#fetch(start, this.#asked);
      // Who reads it hears of a failure.
      part.catch(() => {});
      this.#parts.push(part);
    }
  }

  /** Bytes from `start` to before `end`; of a connection that breaks, what has come is kept. */
  async #fetch(start: number, end: number): Promise<Uint8Array> {
    const { subject, onBytes, onRetry } = this.#options;
    const { clock } = this.#client;
    const bytes = new Uint8Array(end - start);
    let done = 0;
    await retrying({ tries: TRIES, clock, signal: this.#signal, onRetry }, async (progressed) => {
      const from = start + done;
      const answer = await askForBytes(this.#client, this.#options, [from, end], this.#signal);
      try {
        // One that sends the whole file is as good where nothing was wanted but its beginning.
        if (startOf(answer, from, this.#options) !== from) throw this.#sendsNoParts();
        let brought = 0;
        for await (const chunk of answer.body) {
          const taken = chunk.subarray(0, bytes.length - done);
          bytes.set(taken, done);
          done += taken.length;
          brought += taken.length;
          onBytes(taken.length);
          if (brought >= PROGRESS_BYTES) progressed();
          if (done === bytes.length) return;
        }
        throw passing("the server ended it too early", subject);
      } finally {
        answer.discard();
      }
    });
    return bytes;
  }

  #sendsNoParts(): DownloadError {
    return new DownloadError("the server sends it as a whole only, for which the disk has no room", {
      where: this.name,
      remedy: `free ${gigabytes(this.byteLength)} beside the result, or try without HF_ENDPOINT`,
    });
  }
}
