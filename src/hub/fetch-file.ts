/** @file Fetches one file: in ranges over several connections, going on where it stopped, checked before it counts. */
import { abortError } from "../errors.ts";
import { BlockWriter } from "./block-writer.ts";
import { contentHash } from "./content-hash.ts";
import { askForBytes, type FileRequest, otherContent, startOf } from "./file-answer.ts";
import { type HubClient, passing } from "./hub-client.ts";
import { BLOCK_BYTES, IncompleteFile } from "./incomplete-file.ts";
import { type Retry, retrying } from "./retry.ts";

/** Connections for one file. */
const CONNECTIONS = 4;
/** Blocks of one request: large enough that asking costs nothing, small enough to share out. */
const RUN_BLOCKS = 16;
/** In a row without progress. */
export const TRIES = 6;
/** A try that brings less of a file counts as one without progress. */
export const PROGRESS_BYTES = 256 * 1024;
/** A file whose bytes turn out wrong is fetched a second time from the start, and not a third. */
const WHOLE_TRIES = 2;

export interface FetchOptions extends FileRequest {
  /** Where it is to be; it appears there whole or not at all. */
  readonly target: string;
  readonly signal: AbortSignal | undefined;
  /** Told bytes that arrived, negative when some were thrown away. */
  readonly onBytes: (bytes: number) => void;
  readonly onRetry: (retry: Retry) => void;
  /** Asked now and then: whether another program has put the file in place meanwhile. */
  readonly isThere: () => Promise<boolean>;
}

/**
 * Makes `target` the file's content. What was fetched before an interruption of any kind is used.
 * @throws DownloadError, InputError if the disk refuses, AbortedError.
 */
export async function fetchFile(client: HubClient, options: FetchOptions): Promise<void> {
  const { file, target, onBytes } = options;
  for (let attempt = 1; ; attempt++) {
    await using incomplete = await IncompleteFile.open(target, file.bytes, options.signal);
    onBytes(incomplete.bytesThere);
    const hash = await new FileFetch(client, options, incomplete).run();
    if (hash === file.digest.hex) return await incomplete.commit();
    await incomplete.discard();
    if (hash === undefined) return;
    onBytes(-file.bytes);
    if (attempt === WHOLE_TRIES) throw otherContent(options);
  }
}

class FileFetch {
  readonly #client: HubClient;
  readonly #options: FetchOptions;
  readonly #incomplete: IncompleteFile;
  /** Ends the other connections when one fails, or when the file is there. */
  readonly #stop = new AbortController();
  readonly #signal: AbortSignal;
  /** Digests blocks in their order, as they become whole. */
  #hashing: Promise<void> = Promise.resolve();
  #hashed = 0;
  readonly #hash;
  /** The next block that no connection has taken. */
  #next = 0;
  /** Whether the server sends parts; not known before its first answer. */
  #sendsParts: boolean | undefined;
  #isThere = false;

  constructor(client: HubClient, options: FetchOptions, incomplete: IncompleteFile) {
    this.#client = client;
    this.#options = options;
    this.#incomplete = incomplete;
    this.#hash = contentHash(options.file);
    const { signal } = options;
    this.#signal = signal === undefined ? this.#stop.signal : AbortSignal.any([signal, this.#stop.signal]);
  }

  /** The digest of what was fetched, or undefined if another program was faster. */
  async run(): Promise<string | undefined> {
    this.#hashOn();
    try {
      const first = this.#takeRun();
      // Alone until the server has shown whether it sends parts.
      if (first !== undefined) await this.#worker(first);
      await this.#hashing;
    } catch (error) {
      if (this.#isThere) return undefined;
      throw error;
    }
    return this.#hash.digest("hex");
  }

  async #worker(first: Run): Promise<void> {
    const others: Promise<void>[] = [];
    const failures: unknown[] = [];
    const fail = (error: unknown): void => {
      failures.push(error);
      this.#stop.abort();
    };
    const work = async (run: Run | undefined): Promise<void> => {
      for (let at = run; at !== undefined; at = this.#takeRun()) {
        await this.#fetchRun(at, () => {
          while (others.length < CONNECTIONS - 1) {
            const next = this.#takeRun();
            if (next === undefined) break;
            others.push(work(next).catch(fail));
          }
        });
      }
    };
    await work(first).catch(fail);
    await Promise.all(others);
    const [failure] = failures;
    if (failure === undefined) return;
    const { signal } = this.#options;
    throw signal?.aborted === true ? abortError(signal) : failure;
  }

  /** The next blocks that are missing, so many as one request takes. */
  #takeRun(): Run | undefined {
    const { blockCount } = this.#incomplete;
    while (this.#next < blockCount && this.#incomplete.has(this.#next)) this.#next++;
    if (this.#next >= blockCount) return undefined;
    const first = this.#next;
    const isMissing = (block: number): boolean => block < blockCount && !this.#incomplete.has(block);
    while (isMissing(this.#next) && this.#next - first < RUN_BLOCKS) this.#next++;
    return { first, end: this.#next };
  }

  /** @param onParts called when it is known that other connections may fetch other parts. */
  async #fetchRun(run: Run, onParts: () => void): Promise<void> {
    const { subject, onBytes, onRetry } = this.#options;
    const writer = new BlockWriter(this.#incomplete, () => this.#hashOn());
    const { clock } = this.#client;
    await retrying({ tries: TRIES, clock, signal: this.#signal, onRetry }, async (progressed) => {
      await this.#look();
      const start = writer.nextNeeded(run.first);
      const end = this.#end(run);
      if (start >= end) return;
      const answer = await askForBytes(this.#client, this.#options, [start, end], this.#signal);
      try {
        let at = startOf(answer, start, this.#options);
        let brought = 0;
        if (this.#sendsParts === undefined) {
          this.#sendsParts = answer.status === 206;
          // One that does not is read from front to back by this connection alone.
          if (!this.#sendsParts) this.#next = this.#incomplete.blockCount;
        }
        if (this.#sendsParts) onParts();
        const stop = this.#end(run);
        for await (const chunk of answer.body) {
          const wanted = chunk.subarray(0, Math.max(0, stop - at));
          const written = await writer.take(at, wanted);
          onBytes(written);
          brought += written;
          if (brought >= PROGRESS_BYTES) progressed();
          at += chunk.length;
          if (at >= stop) break;
        }
        if (at < stop) throw passing("the server ended it too early", subject);
      } finally {
        answer.discard();
      }
    });
  }

  /** A server that sends no parts is read on to the end of the file. */
  #end({ end }: Run): number {
    const { bytes } = this.#options.file;
    return this.#sendsParts === false ? bytes : Math.min(end * BLOCK_BYTES, bytes);
  }

  /** @throws to leave if another program has put the file in place. */
  async #look(): Promise<void> {
    if (!(await this.#options.isThere())) return;
    this.#isThere = true;
    this.#stop.abort();
    throw abortError(this.#stop.signal);
  }

  #hashOn(): void {
    this.#hashing = this.#hashing.then(async () => {
      while (this.#hashed < this.#incomplete.blockCount && this.#incomplete.has(this.#hashed)) {
        if (this.#signal.aborted) return;
        this.#hash.update(await this.#incomplete.read(this.#hashed));
        this.#hashed++;
      }
    });
    // Whoever awaits it hears of a failure.
    this.#hashing.catch(() => {});
  }
}

/** Blocks from `first` to before `end`. */
interface Run {
  readonly first: number;
  readonly end: number;
}
