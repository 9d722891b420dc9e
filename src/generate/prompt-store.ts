/**
 * @file Prompts that were read lately, with their keys and values: a prompt that comes again, and the beginning that it has in
 * common with another, is not read again. What is taken from here has the bits that reading would give.
 */
import { tokenWidth } from "../model/config.ts";
import { CachedRows, PROMPT_CHUNK } from "./cached-rows.ts";
import type { ModelSessions } from "./model-sessions.ts";
import { placesOf, type TokenRow } from "./token-feeds.ts";

/** What is known of a prompt, there until it is released. */
export interface KnownPrompt {
  /** One row, of which the first `tokens` are the prompt's. */
  readonly cached: CachedRows;
  readonly tokens: number;
  /** The state behind it, [D], if all of it is known. */
  readonly hidden?: Float32Array;
  release(): Promise<void>;
}

interface Entry {
  readonly row: TokenRow;
  readonly cached: CachedRows;
  /** [D] */
  readonly hidden: Float32Array;
  readonly bytes: number;
  /** How many have taken it. */
  users: number;
}

/** What it holds belongs to the engine, and goes with it. */
export class PromptStore {
  readonly #sessions: ModelSessions;
  readonly #maxBytes: number;
  /** The one used last stands last. */
  readonly #entries = new Set<Entry>();

  /** @param maxBytes of keys and values; what does not fit is not kept. */
  constructor(sessions: ModelSessions, maxBytes: number) {
    this.#sessions = sessions;
    this.#maxBytes = maxBytes;
  }

  /** Of keys and values that are kept. */
  get bytes(): number {
    return [...this.#entries].reduce((sum, entry) => sum + entry.bytes, 0);
  }

  /** The longest part of a prompt that is known. Whole chunks only, where another prompt follows: those were read as chunks. */
  take(row: TokenRow): KnownPrompt | undefined {
    let best: { readonly entry: Entry; readonly tokens: number } | undefined;
    const width = tokenWidth(this.#sessions.folder.config);
    for (const entry of this.#entries) {
      const common = commonTokens(row, entry.row, width);
      const whole = common === row.ids.length && common === entry.row.ids.length;
      // The state behind the last token comes with its chunk.
      const chunks = Math.floor(Math.min(common, row.ids.length - 1) / PROMPT_CHUNK) * PROMPT_CHUNK;
      const tokens = whole ? common : chunks;
      if (tokens > (best?.tokens ?? 0)) best = { entry, tokens };
    }
    if (best === undefined) return undefined;
    const { entry, tokens } = best;
    this.#entries.delete(entry);
    this.#entries.add(entry);
    entry.users++;
    const release = async (): Promise<void> => {
      entry.users--;
      await this.#disposeUnused(entry);
    };
    const hidden = tokens === row.ids.length ? { hidden: entry.hidden } : {};
    return { cached: entry.cached, tokens, release, ...hidden };
  }

  /** Keeps a copy of a row as it is now, unless it has one. hidden [D], the state behind it. */
  async keep(row: TokenRow, from: CachedRows, index: number, hidden: Float32Array): Promise<void> {
    const bytes = CachedRows.bytes(this.#sessions.folder.config, 1, placesOf(row));
    if (bytes > this.#maxBytes || this.#holds(row)) return;
    const cached = await from.copyOf(index);
    // The same prompt may have been kept meanwhile.
    if (this.#holds(row)) return cached[Symbol.asyncDispose]();
    this.#entries.add({ row, cached, hidden: hidden.slice(), bytes, users: 0 });
    await this.#dropBeyond();
  }

  async #dropBeyond(): Promise<void> {
    let { bytes } = this;
    for (const entry of this.#entries) {
      if (bytes <= this.#maxBytes) return;
      this.#entries.delete(entry);
      bytes -= entry.bytes;
      await this.#disposeUnused(entry);
    }
  }

  async #disposeUnused(entry: Entry): Promise<void> {
    if (entry.users === 0 && !this.#entries.has(entry)) await entry.cached[Symbol.asyncDispose]();
  }

  #holds(row: TokenRow): boolean {
    const width = tokenWidth(this.#sessions.folder.config);
    const { length } = row.ids;
    return [...this.#entries].some(
      (entry) => entry.row.ids.length === length && commonTokens(row, entry.row, width) === length,
    );
  }
}

/**
 * Tokens that two rows have in common from their first on: ids, what stands for image tokens, where they are placed, and the
 * adapters that read them.
 */
function commonTokens(a: TokenRow, b: TokenRow, width: number): number {
  if ((a.position ?? 0) !== (b.position ?? 0) || a.adapters?.key !== b.adapters?.key) return 0;
  const most = Math.min(a.ids.length, b.ids.length);
  let common = 0;
  while (common < most && a.ids[common] === b.ids[common] && sameImageToken(a, b, common, width)) common++;
  return common;
}

function sameImageToken(a: TokenRow, b: TokenRow, place: number, width: number): boolean {
  const [one, other] = [imageToken(a, place, width), imageToken(b, place, width)];
  if (one === undefined || other === undefined) return one === other;
  return one.every((value, i) => value === other[i]);
}

/** [width], or undefined where a text token stands. */
function imageToken({ images = [] }: TokenRow, place: number, width: number): Float32Array | undefined {
  for (const { start, tokens } of images) {
    const from = (place - start) * width;
    if (from >= 0 && from < tokens.length) return tokens.subarray(from, from + width);
  }
  return undefined;
}
