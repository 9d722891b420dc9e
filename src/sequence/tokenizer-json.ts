/** @file tokenizer.json as this package understands it: a byte-level BPE, checked (docs/nextstep-spec.md 1.4). */

import { ModelFormatError, UnsupportedError } from "../errors.ts";
import { isJsonObject, type JsonObject } from "../formats/json-file.ts";
import { quoted } from "../formats/quoted.ts";
import { BYTE_CHARACTERS } from "./byte-alphabet.ts";

/** Largest id accepted. The widest text vocabularies in use stay below 300,000. */
const MAX_TOKEN_ID = 1 << 22;
/** Longest token accepted: merging compares tokens. The longest published ones are runs of 128 spaces. */
const MAX_TOKEN_CHARACTERS = 1024;
/** Most added tokens accepted. Published tokenizers have a thousand at most. */
const MAX_ADDED_TOKENS = 1 << 16;

/** Qwen2's way to cut text into words: contractions, letters, single numerals, punctuation, line ends, spaces. */
export const QWEN2_SPLIT_PATTERN =
  "(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+";

export interface AddedTokenEntry {
  readonly id: number;
  readonly content: string;
  readonly single_word: boolean;
  readonly lstrip: boolean;
  readonly rstrip: boolean;
  readonly normalized: boolean;
  readonly special: boolean;
}

/** tokenizer.json after checking: a byte-level BPE. The parts around the vocabulary stay as they are. */
export interface TokenizerJson {
  readonly added_tokens: readonly AddedTokenEntry[];
  readonly normalizer: JsonObject | null;
  readonly pre_tokenizer: JsonObject | null;
  readonly post_processor: JsonObject | null;
  readonly decoder: JsonObject;
  readonly model: JsonObject & {
    readonly vocab: Readonly<Record<string, number>>;
    readonly merges: readonly (readonly string[])[];
  };
}

/** A special token as published tokenizer files describe it: matched as written, spaces around it untouched. */
export function specialToken(id: number, content: string): AddedTokenEntry {
  return { id, content, single_word: false, lstrip: false, rstrip: false, normalized: false, special: true };
}

/** The parts of tokenizer.json around the vocabulary, as Qwen2 has them. */
export function qwen2Pipeline(): Pick<
  TokenizerJson,
  "normalizer" | "pre_tokenizer" | "post_processor" | "decoder"
> {
  return {
    normalizer: { type: "NFC" },
    pre_tokenizer: {
      type: "Sequence",
      pretokenizers: [
        { type: "Split", pattern: { Regex: QWEN2_SPLIT_PATTERN }, behavior: "Isolated", invert: false },
        { type: "ByteLevel", add_prefix_space: false, trim_offsets: true, use_regex: false },
      ],
    },
    post_processor: { type: "ByteLevel", add_prefix_space: true, trim_offsets: false, use_regex: true },
    decoder: { type: "ByteLevel", add_prefix_space: true, trim_offsets: true, use_regex: true },
  };
}

/** The model part of tokenizer.json for a byte-level BPE. */
export function bytePairModel(
  vocab: Readonly<Record<string, number>>,
  merges: TokenizerJson["model"]["merges"],
): TokenizerJson["model"] {
  return {
    type: "BPE",
    dropout: null,
    unk_token: null,
    continuing_subword_prefix: "",
    end_of_word_suffix: "",
    fuse_unk: false,
    byte_fallback: false,
    ignore_merges: false,
    vocab,
    merges,
  };
}

/**
 * Checks a tokenizer.json.
 * Throws ModelFormatError where it is malformed, UnsupportedError for anything but a byte-level BPE.
 */
export function checkTokenizerJson(json: JsonObject): TokenizerJson {
  const where = "tokenizer.json";
  const { model, decoder } = json;
  if (!isJsonObject(model) || (model.type ?? "BPE") !== "BPE") {
    throw new UnsupportedError("not a BPE tokenizer", { where, remedy: "use a Qwen2 style tokenizer" });
  }
  if (!isJsonObject(decoder) || decoder.type !== "ByteLevel") {
    throw new UnsupportedError("not a byte-level tokenizer", {
      where,
      remedy: "use a Qwen2 style tokenizer",
    });
  }
  if (!isJsonObject(model.vocab)) throw new ModelFormatError("model.vocab is not an object", { where });
  const vocab = checkVocabulary(model.vocab, where);
  if (!Array.isArray(model.merges)) throw new ModelFormatError("model.merges is not a list", { where });
  const merges = checkMerges(model.merges, vocab, where);
  refuseModelOptions(model, where);
  const added = json.added_tokens ?? [];
  if (!Array.isArray(added)) throw new ModelFormatError("added_tokens is not a list", { where });
  return {
    added_tokens: added.map((entry: unknown) => checkAddedToken(entry, where)),
    normalizer: optionalObject(json.normalizer, "normalizer", where),
    pre_tokenizer: optionalObject(json.pre_tokenizer, "pre_tokenizer", where),
    post_processor: optionalObject(json.post_processor, "post_processor", where),
    decoder,
    model: { ...bytePairModel(vocab, merges), ignore_merges: model.ignore_merges === true },
  };
}

/** Checks that every token has an id of its own. Throws ModelFormatError. */
export function checkVocabulary(vocab: JsonObject, where: string): Record<string, number> {
  const checked: Record<string, number> = Object.create(null);
  const seen = new Set<number>();
  for (const [token, value] of Object.entries(vocab)) {
    checkLength(token, where);
    const id = checkId(value, where);
    if (seen.has(id)) throw new ModelFormatError(`id ${id} stands for two tokens`, { where });
    seen.add(id);
    checked[token] = id;
  }
  return checked;
}

/** Checks one added token; flags that are missing take the defaults of published loaders. Throws ModelFormatError. */
export function checkAddedToken(entry: unknown, where: string): AddedTokenEntry {
  if (!isJsonObject(entry) || typeof entry.content !== "string" || entry.content === "") {
    throw new ModelFormatError("an added token has no content", { where });
  }
  checkLength(entry.content, where);
  const special = entry.special === true;
  return {
    id: checkId(entry.id, where),
    content: entry.content,
    single_word: entry.single_word === true,
    lstrip: entry.lstrip === true,
    rstrip: entry.rstrip === true,
    normalized: typeof entry.normalized === "boolean" ? entry.normalized : !special,
    special,
  };
}

/**
 * Checks that no id stands for two tokens and no token has two ids.
 * Throws ModelFormatError.
 */
export function checkAddedTokens(json: TokenizerJson): TokenizerJson {
  const where = "added tokens";
  const { added_tokens: added, model } = json;
  if (added.length > MAX_ADDED_TOKENS) {
    throw new ModelFormatError(`${added.length} added tokens are more than ${MAX_ADDED_TOKENS}`, { where });
  }
  const taken = new Set(Object.values(model.vocab));
  for (const { id, content } of added) {
    const own = Object.hasOwn(model.vocab, content) ? model.vocab[content] : undefined;
    if (own !== undefined && own !== id) {
      throw new ModelFormatError(`${quoted(content)} has the ids ${own} and ${id}`, { where });
    }
    if (own === undefined && taken.has(id)) {
      throw new ModelFormatError(`id ${id} stands for two tokens, one of them ${quoted(content)}`, { where });
    }
    taken.add(id);
  }
  return json;
}

function checkLength(token: string, where: string): void {
  if (token.length <= MAX_TOKEN_CHARACTERS) return;
  throw new ModelFormatError(`a token has ${token.length} characters, more than ${MAX_TOKEN_CHARACTERS}`, {
    where,
  });
}

/** Throws ModelFormatError unless the value is a token id. */
export function checkId(value: unknown, where: string): number {
  if (typeof value === "number" && Number.isInteger(value) && value >= 0 && value <= MAX_TOKEN_ID)
    return value;
  const shown = typeof value === "object" ? "something" : quoted(String(value).slice(0, 40));
  throw new ModelFormatError(`${shown} is not a token id`, { where });
}

/**
 * Checks that merging never leaves the vocabulary, and that every byte is in it: whatever is not would be dropped from
 * texts without a word. Throws ModelFormatError.
 */
export function checkMerges(
  merges: readonly unknown[],
  vocab: Readonly<Record<string, number>>,
  where: string,
): string[][] {
  const byte = BYTE_CHARACTERS.findIndex((character) => !Object.hasOwn(vocab, character));
  if (byte >= 0) throw new ModelFormatError(`the vocabulary has no token for byte ${byte}`, { where });
  return merges.map((merge) => {
    const pair: unknown = typeof merge === "string" ? merge.split(" ") : merge;
    if (!isPair(pair)) throw new ModelFormatError("merges hold something other than pairs", { where });
    const missing = [...pair, pair.join("")].find((token) => !Object.hasOwn(vocab, token));
    if (missing !== undefined) {
      throw new ModelFormatError(
        `a merge makes or takes ${quoted(missing)}, which the vocabulary does not have`,
        {
          where,
          remedy: "vocabulary and merges must come from the same model",
        },
      );
    }
    return pair;
  });
}

function isPair(value: unknown): value is string[] {
  return Array.isArray(value) && value.length === 2 && value.every((part) => typeof part === "string");
}

/** Rules of other models, which Qwen2's byte-level BPE leaves empty. Throws UnsupportedError. */
function refuseModelOptions(model: JsonObject, where: string): void {
  const set = [
    "dropout",
    "unk_token",
    "continuing_subword_prefix",
    "continuing_subword_suffix",
    "end_of_word_suffix",
    "fuse_unk",
    "byte_fallback",
  ].find((key) => Boolean(model[key]));
  if (set === undefined) return;
  throw new UnsupportedError(`model.${set} is set`, { where, remedy: "use a Qwen2 style tokenizer" });
}

function optionalObject(value: unknown, key: string, where: string): JsonObject | null {
  if (value === undefined || value === null) return null;
  if (isJsonObject(value)) return value;
  throw new ModelFormatError(`${key} is not an object`, { where });
}
