/** @file Trains a byte-level BPE with Qwen2's rules for words (docs/nextstep-spec.md 1.4), for models from nothing. */

import { ConfigError } from "../../errors.ts";
import { BYTE_CHARACTERS } from "../../sequence/byte-alphabet.ts";
import { END_OF_TEXT } from "../../sequence/special-tokens.ts";
import { createEngine } from "../../sequence/tokenizer-engine.ts";
import { type TokenizerFiles, withImageTokens } from "../../sequence/tokenizer-files.ts";
import { bytePairModel, qwen2Pipeline, specialToken } from "../../sequence/tokenizer-json.ts";

/** Special tokens of Qwen2 that stand in front of the image tokens. */
const TEXT_SPECIAL_TOKENS = [END_OF_TEXT, "<|im_start|>", "<|im_end|>"];
const BYTES = 256;
/** A pair that occurs once saves nothing that a model could learn from. */
const LEAST_COUNT = 2;
/** Pairs are keyed as left * 2^22 + right; ids stay below 2^22. */
const PAIR_BASE = 1 << 22;

interface Word {
  /** Symbol ids; shrinks as pairs are merged. */
  symbols: number[];
  readonly count: number;
}

/** A pair that waits for its turn. Its count may have changed since; the current one is looked up when it comes up. */
interface Candidate {
  readonly pair: number;
  readonly count: number;
}

/**
 * Trains a tokenizer of `size` tokens on texts: 256 bytes, merges, then the special tokens of text and of images in
 * the published order. Merges are taken by falling count, equal counts by smaller ids, so the result depends on the
 * texts alone, not on their order. With too little text for `size` tokens there are fewer.
 * Throws ConfigError for a size that does not hold bytes and special tokens.
 */
export async function trainTextTokenizer(
  texts: Iterable<string> | AsyncIterable<string>,
  { size }: { readonly size: number },
): Promise<TokenizerFiles> {
  const specials = assemble([], []).json.added_tokens.length;
  if (!Number.isInteger(size) || size < BYTES + specials || size >= PAIR_BASE) {
    throw new ConfigError(`a vocabulary of ${size} tokens`, {
      where: "vocabulary size",
      remedy: `use ${BYTES + specials} to ${PAIR_BASE - 1}`,
    });
  }
  const tokens = [...BYTE_CHARACTERS].sort();
  const merges = mergeWords(await countWords(texts, tokens), tokens, size - specials);
  return assemble(tokens, merges);
}

function assemble(tokens: readonly string[], merges: readonly (readonly string[])[]): TokenizerFiles {
  const vocab: Record<string, number> = Object.create(null);
  for (const [id, token] of tokens.entries()) vocab[token] = id;
  const added = TEXT_SPECIAL_TOKENS.map((token, index) => specialToken(tokens.length + index, token));
  const json = { added_tokens: added, ...qwen2Pipeline(), model: bytePairModel(vocab, merges) };
  const names = { bosToken: null, eosToken: END_OF_TEXT, padToken: END_OF_TEXT, additional: [] };
  return withImageTokens({ json, names });
}

/** Words of all texts with their counts, as byte symbols. */
async function countWords(
  texts: Iterable<string> | AsyncIterable<string>,
  alphabet: readonly string[],
): Promise<Word[]> {
  const splitter = createEngine(assemble(alphabet, []).json).pre_tokenizer;
  const counts = new Map<string, number>();
  for await (const text of texts) {
    for (const word of splitter?.pre_tokenize(text.normalize("NFC")) ?? []) {
      counts.set(word, (counts.get(word) ?? 0) + 1);
    }
  }
  const symbolOf = new Map(alphabet.map((character, id) => [character, id]));
  return [...counts].map(([word, count]) => ({
    symbols: Array.from(word, (character) => symbolOf.get(character) ?? 0),
    count,
  }));
}

/** Merges pairs until there are `size` tokens, which are appended to `tokens`. Returns the merges in order. */
function mergeWords(words: readonly Word[], tokens: string[], size: number): (readonly string[])[] {
  const counts = new Map<number, number>();
  const places = new Map<number, Set<Word>>();
  for (const word of words) for (const pair of pairsOf(word)) addPair(pair, word);
  const queue = new CandidateQueue();
  for (const [pair, count] of counts) queue.push({ pair, count });

  function addPair(pair: number, word: Word): void {
    counts.set(pair, (counts.get(pair) ?? 0) + word.count);
    const known = places.get(pair);
    if (known === undefined) places.set(pair, new Set([word]));
    else known.add(word);
  }

  const merges: (readonly string[])[] = [];
  // A merge can spell a token that is there already ("a" + "bc" after "ab" + "c"): it keeps that token's id.
  const idOf = new Map(tokens.map((token, id) => [token, id]));
  while (tokens.length < size) {
    const top = queue.pop();
    if (top === undefined) break;
    const { pair, count } = top;
    const current = counts.get(pair) ?? 0;
    if (current !== count) {
      if (current >= LEAST_COUNT) queue.push({ pair, count: current });
      continue;
    }
    if (count < LEAST_COUNT) break;
    const left = tokens[Math.floor(pair / PAIR_BASE)] ?? "";
    const right = tokens[pair % PAIR_BASE] ?? "";
    let merged = idOf.get(left + right);
    if (merged === undefined) {
      merged = tokens.length;
      tokens.push(left + right);
      idOf.set(left + right, merged);
    }
    merges.push([left, right]);
    // Only pairs with the new token can have become more frequent. The others keep their one place in the queue, from
    // where they are moved down when they come up.
    const grown = new Set<number>();
    for (const word of places.get(pair) ?? []) {
      const symbols = replacePair(word.symbols, pair, merged);
      // Places are never forgotten: an earlier merge may have taken the pair out of this word.
      if (symbols.length === word.symbols.length) continue;
      for (const old of pairsOf(word)) counts.set(old, (counts.get(old) ?? 0) - word.count);
      word.symbols = symbols;
      for (const fresh of pairsOf(word)) {
        addPair(fresh, word);
        if (Math.floor(fresh / PAIR_BASE) === merged || fresh % PAIR_BASE === merged) grown.add(fresh);
      }
    }
    counts.delete(pair);
    places.delete(pair);
    for (const fresh of grown) queue.push({ pair: fresh, count: counts.get(fresh) ?? 0 });
  }
  return merges;
}

function pairsOf({ symbols }: Word): number[] {
  const pairs: number[] = [];
  for (let at = 1; at < symbols.length; at++) {
    pairs.push((symbols[at - 1] as number) * PAIR_BASE + (symbols[at] as number));
  }
  return pairs;
}

function replacePair(symbols: readonly number[], pair: number, merged: number): number[] {
  const left = Math.floor(pair / PAIR_BASE);
  const right = pair % PAIR_BASE;
  const out: number[] = [];
  for (let at = 0; at < symbols.length; at++) {
    if (symbols[at] === left && symbols[at + 1] === right) {
      out.push(merged);
      at++;
    } else out.push(symbols[at] as number);
  }
  return out;
}

/** A binary heap: highest count first, of equal counts the smaller pair. */
class CandidateQueue {
  readonly #items: Candidate[] = [];

  push(item: Candidate): void {
    const items = this.#items;
    let at = items.push(item) - 1;
    while (at > 0) {
      const parent = (at - 1) >> 1;
      if (!before(item, items[parent] as Candidate)) break;
      items[at] = items[parent] as Candidate;
      at = parent;
    }
    items[at] = item;
  }

  pop(): Candidate | undefined {
    const items = this.#items;
    const top = items[0];
    const last = items.pop();
    if (top === undefined || last === undefined || items.length === 0) return top;
    let at = 0;
    for (;;) {
      let child = 2 * at + 1;
      if (child >= items.length) break;
      if (child + 1 < items.length && before(items[child + 1] as Candidate, items[child] as Candidate))
        child++;
      if (!before(items[child] as Candidate, last)) break;
      items[at] = items[child] as Candidate;
      at = child;
    }
    items[at] = last;
    return top;
  }
}

function before(a: Candidate, b: Candidate): boolean {
  return a.count === b.count ? a.pair < b.pair : a.count > b.count;
}
