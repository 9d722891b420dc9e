/** @file Reads and checks the tokenizer files of a model folder, in either published form (docs/nextstep-spec.md 1.2, 1.4). */

import { readFile, stat } from "node:fs/promises";
import { join } from "node:path";
import { ModelFormatError, UnsupportedError } from "../errors.ts";
import { ADDITIONAL_SPECIAL_TOKENS, END_OF_TEXT, PADDING } from "./special-tokens.ts";

/** Qwen2.5's tokenizer.json has 7 MB; a bound well above it keeps a hostile file from filling memory. */
const MAX_FILE_BYTES = 64 * 1024 * 1024;
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

type JsonObject = { readonly [key: string]: unknown };

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

/** What tokenizer_config.json says of special tokens. */
export interface TokenizerNames {
  readonly bosToken: string | null;
  readonly eosToken: string;
  readonly padToken: string;
}

export interface TokenizerFiles {
  readonly json: TokenizerJson;
  readonly names: TokenizerNames;
}

/**
 * Reads tokenizer.json, or vocab.json with merges.txt where it is missing, and tokenizer_config.json.
 * Throws ModelFormatError for a missing, oversized or malformed file, UnsupportedError for another kind of tokenizer.
 */
export async function readTokenizerFiles(folder: string): Promise<TokenizerFiles> {
  const config = (await readJson(folder, "tokenizer_config.json")) ?? {};
  const own = await readJson(folder, "tokenizer.json");
  const json = own === null ? await assemble(folder) : checkTokenizerJson(own);
  const legacy = own === null ? await readJson(folder, "added_tokens.json") : null;
  // Published loaders read special_tokens_map.json only for configurations that predate added_tokens_decoder.
  const map = "added_tokens_decoder" in config ? null : await readJson(folder, "special_tokens_map.json");
  const merged = { ...map, ...config };
  const names = {
    bosToken: tokenName(merged, "bos_token"),
    eosToken: tokenName(merged, "eos_token") ?? END_OF_TEXT,
    padToken: tokenName(merged, "pad_token") ?? PADDING,
  };
  return { json: completeAddedTokens(json, merged, names, legacy ?? {}), names };
}

/**
 * The same files with the tokens of {@link ADDITIONAL_SPECIAL_TOKENS} and [PAD] appended where they are missing:
 * what training does to a plain text tokenizer. Existing tokens keep their ids.
 */
export function withImageTokens(files: TokenizerFiles): TokenizerFiles {
  const names = { ...files.names, padToken: PADDING };
  const json = appendSpecial(files.json, [PADDING, ...ADDITIONAL_SPECIAL_TOKENS]);
  return { json, names };
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

async function assemble(folder: string): Promise<TokenizerJson> {
  const vocab = await readJson(folder, "vocab.json");
  const merges = await readText(folder, "merges.txt");
  if (vocab === null || merges === null) {
    throw new ModelFormatError("neither tokenizer.json nor vocab.json with merges.txt is there", {
      where: folder,
      remedy: "copy the tokenizer files of the model into its folder",
    });
  }
  const pairs: string[][] = [];
  for (const line of merges.split("\n")) {
    const trimmed = line.endsWith("\r") ? line.slice(0, -1) : line;
    if (trimmed === "" || trimmed.startsWith("#version")) continue;
    const pair = trimmed.split(" ");
    if (pair.length !== 2) {
      throw new ModelFormatError(`"${trimmed.slice(0, 40)}" is not a pair of tokens`, {
        where: "merges.txt",
      });
    }
    pairs.push(pair);
  }
  return {
    added_tokens: [],
    ...qwen2Pipeline(),
    model: bytePairModel(checkVocabulary(vocab, "vocab.json"), pairs),
  };
}

function checkTokenizerJson(json: JsonObject): TokenizerJson {
  const where = "tokenizer.json";
  const { model, decoder } = json;
  if (!isObject(model) || (model.type ?? "BPE") !== "BPE") {
    throw new UnsupportedError("not a BPE tokenizer", { where, remedy: "use a Qwen2 style tokenizer" });
  }
  if (!isObject(decoder) || decoder.type !== "ByteLevel") {
    throw new UnsupportedError("not a byte-level tokenizer", {
      where,
      remedy: "use a Qwen2 style tokenizer",
    });
  }
  if (!isObject(model.vocab)) throw new ModelFormatError("model.vocab is not an object", { where });
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

/**
 * Adds what stands beside tokenizer.json: the configuration's added_tokens_decoder, added_tokens.json (`legacy`, for
 * folders without tokenizer.json), and special tokens outside both lists.
 */
function completeAddedTokens(
  json: TokenizerJson,
  config: JsonObject,
  names: TokenizerNames,
  legacy: JsonObject,
): TokenizerJson {
  const where = "tokenizer_config.json";
  const decoder = config.added_tokens_decoder ?? {};
  if (!isObject(decoder)) throw new ModelFormatError("added_tokens_decoder is not an object", { where });
  const known = new Set(json.added_tokens.map((token) => token.content));
  const entries = [...json.added_tokens];
  for (const [id, entry] of Object.entries(decoder)) {
    if (!isObject(entry))
      throw new ModelFormatError(`added_tokens_decoder.${id} is not an object`, { where });
    const token = checkAddedToken({ ...entry, id: Number(id) }, where);
    if (known.has(token.content)) continue;
    known.add(token.content);
    entries.push(token);
  }
  const special: string[] = [];
  for (const name of [names.bosToken, names.eosToken]) if (name !== null) special.push(name);
  if (tokenName(config, "pad_token") !== null) special.push(names.padToken);
  const additional = config.additional_special_tokens ?? [];
  if (!Array.isArray(additional)) {
    throw new ModelFormatError("additional_special_tokens is not a list", { where });
  }
  for (const entry of additional as unknown[]) {
    const content = isObject(entry) ? entry.content : entry;
    if (typeof content !== "string" || content === "") {
      throw new ModelFormatError("additional_special_tokens holds something other than tokens", { where });
    }
    special.push(content);
  }
  for (const [content, id] of Object.entries(legacy)) {
    if (known.has(content)) continue;
    const token = specialToken(checkId(id, "added_tokens.json"), content);
    entries.push({ ...token, special: special.includes(content) });
  }
  return appendSpecial({ ...json, added_tokens: entries }, special);
}

/** Makes each name a special token: one of the vocabulary keeps its id, a new one takes the next free id. */
function appendSpecial(json: TokenizerJson, names: readonly string[]): TokenizerJson {
  const entries = [...json.added_tokens];
  const known = new Set(entries.map((token) => token.content));
  const vocab = json.model.vocab;
  let next = 0;
  for (const id of Object.values(vocab)) next = Math.max(next, id + 1);
  for (const token of entries) next = Math.max(next, token.id + 1);
  for (const name of names) {
    if (known.has(name)) continue;
    known.add(name);
    const own = Object.hasOwn(vocab, name) ? vocab[name] : undefined;
    entries.push(specialToken(own ?? next++, name));
  }
  return { ...json, added_tokens: entries };
}

function checkVocabulary(vocab: JsonObject, where: string): Record<string, number> {
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

function checkAddedToken(entry: unknown, where: string): AddedTokenEntry {
  if (!isObject(entry) || typeof entry.content !== "string" || entry.content === "") {
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

function checkId(value: unknown, where: string): number {
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

function tokenName(config: JsonObject, key: string): string | null {
  const value = config[key];
  const name = isObject(value) ? value.content : value;
  if (name === undefined || name === null || name === "") return null;
  if (typeof name === "string") return name;
  throw new ModelFormatError(`${key} is not a token`, { where: "tokenizer_config.json" });
}

function optionalObject(value: unknown, key: string, where: string): JsonObject | null {
  if (value === undefined || value === null) return null;
  if (isObject(value)) return value;
  throw new ModelFormatError(`${key} is not an object`, { where });
}

function isObject(value: unknown): value is JsonObject {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

async function readText(folder: string, name: string): Promise<string | null> {
  const path = join(folder, name);
  try {
    const { size } = await stat(path);
    if (size > MAX_FILE_BYTES) {
      throw new ModelFormatError(`${size} bytes, more than ${MAX_FILE_BYTES}`, { where: path });
    }
    return await readFile(path, "utf8");
  } catch (error) {
    if (error instanceof ModelFormatError) throw error;
    const missing = error instanceof Error && "code" in error && error.code === "ENOENT";
    if (missing) return null;
    throw new ModelFormatError("cannot be read", { where: path, cause: error });
  }
}

async function readJson(folder: string, name: string): Promise<JsonObject | null> {
  const text = await readText(folder, name);
  if (text === null) return null;
  const where = join(folder, name);
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    throw new ModelFormatError("not JSON", { where, cause: error, remedy: "copy the file again" });
  }
  if (!isObject(value)) throw new ModelFormatError("not a JSON object", { where });
  return value;
}
