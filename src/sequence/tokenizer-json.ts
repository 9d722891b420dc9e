/** @file tokenizer.json as this package understands it: a byte-level BPE, checked (docs/nextstep-spec.md 1.4). */

import { ModelFormatError, UnsupportedError } from "../errors.ts";
import { isJsonObject, type JsonObject } from "../formats/json-file.ts";

/** Largest id accepted. The widest text vocabularies in use stay below 300,000. */
const MAX_TOKEN_ID = 1 << 22;
/** Long patterns are a way to make a regular expression engine crawl; published ones have some 100 characters. */
const MAX_PATTERN_LENGTH = 2000;

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

/** tokenizer.json after checking: a byte-level BPE. The parts that only the tokenizer library reads stay as they are. */
export interface TokenizerJson {
  readonly added_tokens: readonly AddedTokenEntry[];
  readonly normalizer: JsonObject | null;
  readonly pre_tokenizer: JsonObject | null;
  readonly post_processor: JsonObject | null;
  readonly decoder: JsonObject;
  readonly model: JsonObject & {
    readonly vocab: Readonly<Record<string, number>>;
    readonly merges: readonly (string | readonly string[])[];
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
  merges: readonly (readonly string[])[],
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
  const merges: (string | string[])[] = [];
  for (const merge of model.merges as unknown[]) {
    if (typeof merge === "string") merges.push(merge);
    else if (Array.isArray(merge) && merge.length === 2 && merge.every((part) => typeof part === "string")) {
      merges.push(merge);
    } else throw new ModelFormatError("model.merges holds something other than pairs", { where });
  }
  checkPatterns(json.pre_tokenizer);
  checkPatterns(json.normalizer);
  const added = json.added_tokens ?? [];
  if (!Array.isArray(added)) throw new ModelFormatError("added_tokens is not a list", { where });
  return {
    added_tokens: added.map((entry: unknown) => checkAddedToken(entry, where)),
    normalizer: optionalObject(json.normalizer, "normalizer", where),
    pre_tokenizer: optionalObject(json.pre_tokenizer, "pre_tokenizer", where),
    post_processor: optionalObject(json.post_processor, "post_processor", where),
    decoder,
    model: { ...model, type: "BPE", vocab, merges },
  };
}

/** Checks that every token has an id of its own. Throws ModelFormatError. */
export function checkVocabulary(vocab: JsonObject, where: string): Record<string, number> {
  const checked: Record<string, number> = Object.create(null);
  const seen = new Set<number>();
  for (const [token, value] of Object.entries(vocab)) {
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

/** Throws ModelFormatError unless the value is a token id. */
export function checkId(value: unknown, where: string): number {
  if (typeof value === "number" && Number.isInteger(value) && value >= 0 && value <= MAX_TOKEN_ID)
    return value;
  throw new ModelFormatError(`${String(value).slice(0, 40)} is not a token id`, { where });
}

function checkPatterns(part: unknown): void {
  const pending: unknown[] = [part];
  for (let item = pending.pop(); pending.length > 0 || item !== undefined; item = pending.pop()) {
    if (typeof item === "object" && item !== null) {
      for (const [key, value] of Object.entries(item)) {
        if (key === "Regex" && typeof value === "string" && value.length > MAX_PATTERN_LENGTH) {
          throw new ModelFormatError(`a pattern has ${value.length} characters`, { where: "tokenizer.json" });
        }
        pending.push(value);
      }
    }
  }
}

function optionalObject(value: unknown, key: string, where: string): JsonObject | null {
  if (value === undefined || value === null) return null;
  if (isJsonObject(value)) return value;
  throw new ModelFormatError(`${key} is not an object`, { where });
}
