/** @file Reads and checks the tokenizer files of a model folder, in either published form (docs/nextstep-spec.md 1.2, 1.4). */

import { ModelFormatError } from "../errors.ts";
import type { FileFolder } from "../formats/file-folder.ts";
import { isJsonObject, type JsonObject, readJson, readText } from "../formats/json-file.ts";
import { quoted } from "../formats/quoted.ts";
import { ADDITIONAL_SPECIAL_TOKENS, END_OF_TEXT, PADDING } from "./special-tokens.ts";
import {
  bytePairModel,
  checkAddedToken,
  checkAddedTokens,
  checkId,
  checkMerges,
  checkTokenizerJson,
  checkVocabulary,
  qwen2Pipeline,
  specialToken,
  type TokenizerJson,
} from "./tokenizer-json.ts";
import { checkPipeline } from "./tokenizer-pipeline.ts";

/** Qwen2.5's tokenizer.json has 7 MB; a bound well above it keeps a hostile file from filling memory. */
const MAX_FILE_BYTES = 64 * 1024 * 1024;
/** What tokenizer_config.json says of special tokens. */
export interface TokenizerNames {
  readonly bosToken: string | null;
  readonly eosToken: string;
  readonly padToken: string;
  /** additional_special_tokens, in order. */
  readonly additional: readonly string[];
}

export interface TokenizerFiles {
  readonly json: TokenizerJson;
  readonly names: TokenizerNames;
}

/**
 * Reads tokenizer.json, or vocab.json with merges.txt where it is missing, and tokenizer_config.json.
 * Throws ModelFormatError for a missing, oversized or malformed file, UnsupportedError for another kind of tokenizer.
 */
export async function readTokenizerFiles(folder: FileFolder): Promise<TokenizerFiles> {
  const config = (await readObject(folder, "tokenizer_config.json")) ?? {};
  const own = await readObject(folder, "tokenizer.json");
  const json = own === null ? await assemble(folder) : checkPipeline(checkTokenizerJson(own));
  const legacy = own === null ? await readObject(folder, "added_tokens.json") : null;
  // Published loaders read special_tokens_map.json only for configurations that predate added_tokens_decoder.
  const map = "added_tokens_decoder" in config ? null : await readObject(folder, "special_tokens_map.json");
  const merged = { ...map, ...config };
  const names = {
    bosToken: tokenName(merged, "bos_token"),
    eosToken: tokenName(merged, "eos_token") ?? END_OF_TEXT,
    padToken: tokenName(merged, "pad_token") ?? PADDING,
    additional: additionalTokens(merged),
  };
  return { json: completeAddedTokens(json, merged, names, legacy ?? {}), names };
}

/**
 * The same files with the tokens of {@link ADDITIONAL_SPECIAL_TOKENS} and [PAD] appended where they are missing:
 * what training does to a plain text tokenizer. Existing tokens keep their ids.
 */
export function withImageTokens(files: TokenizerFiles): TokenizerFiles {
  const names = { ...files.names, padToken: PADDING, additional: ADDITIONAL_SPECIAL_TOKENS };
  const json = appendSpecial(files.json, [PADDING, ...ADDITIONAL_SPECIAL_TOKENS]);
  return { json, names };
}

async function assemble(folder: FileFolder): Promise<TokenizerJson> {
  const vocab = await readObject(folder, "vocab.json");
  const merges = await readMember(folder, "merges.txt");
  if (vocab === null || merges === null) {
    throw new ModelFormatError("neither tokenizer.json nor vocab.json with merges.txt is there", {
      where: folder.path,
      remedy: "copy the tokenizer files of the model into its folder",
    });
  }
  const pairs: string[][] = [];
  for (const line of merges.split("\n")) {
    const trimmed = line.endsWith("\r") ? line.slice(0, -1) : line;
    if (trimmed === "" || trimmed.startsWith("#version")) continue;
    const pair = trimmed.split(" ");
    if (pair.length !== 2) {
      throw new ModelFormatError(`${quoted(trimmed.slice(0, 40))} is not a pair of tokens`, {
        where: "merges.txt",
      });
    }
    pairs.push(pair);
  }
  const checked = checkVocabulary(vocab, "vocab.json");
  return {
    added_tokens: [],
    ...qwen2Pipeline(),
    model: bytePairModel(checked, checkMerges(pairs, checked, "merges.txt")),
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
  if (!isJsonObject(decoder)) throw new ModelFormatError("added_tokens_decoder is not an object", { where });
  const known = new Set(json.added_tokens.map((token) => token.content));
  const entries = [...json.added_tokens];
  for (const [id, entry] of Object.entries(decoder)) {
    if (!isJsonObject(entry))
      throw new ModelFormatError(`added_tokens_decoder.${id} is not an object`, { where });
    const token = checkAddedToken({ ...entry, id: Number(id) }, where);
    if (known.has(token.content)) continue;
    known.add(token.content);
    entries.push(token);
  }
  const special: string[] = [];
  for (const name of [names.bosToken, names.eosToken]) if (name !== null) special.push(name);
  if (tokenName(config, "pad_token") !== null) special.push(names.padToken);
  special.push(...names.additional);
  for (const [content, id] of Object.entries(legacy)) {
    if (known.has(content)) continue;
    const token = specialToken(checkId(id, "added_tokens.json"), content);
    entries.push({ ...token, special: special.includes(content) });
  }
  return checkAddedTokens(appendSpecial({ ...json, added_tokens: entries }, special));
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

function additionalTokens(config: JsonObject): string[] {
  const where = "tokenizer_config.json";
  const additional = config.additional_special_tokens ?? [];
  if (!Array.isArray(additional)) {
    throw new ModelFormatError("additional_special_tokens is not a list", { where });
  }
  return additional.map((entry: unknown) => {
    const content = isJsonObject(entry) ? entry.content : entry;
    if (typeof content === "string" && content !== "") return content;
    throw new ModelFormatError("additional_special_tokens holds something other than tokens", { where });
  });
}

function tokenName(config: JsonObject, key: string): string | null {
  const value = config[key];
  const name = isJsonObject(value) ? value.content : value;
  if (name === undefined || name === null || name === "") return null;
  if (typeof name === "string") return name;
  throw new ModelFormatError(`${key} is not a token`, { where: "tokenizer_config.json" });
}

async function readMember(folder: FileFolder, name: string): Promise<string | null> {
  return (await folder.has(name)) ? readText(await folder.open(name), MAX_FILE_BYTES) : null;
}

async function readObject(folder: FileFolder, name: string): Promise<JsonObject | null> {
  if (!(await folder.has(name))) return null;
  const source = await folder.open(name);
  const value = await readJson(source, MAX_FILE_BYTES);
  if (!isJsonObject(value)) throw new ModelFormatError("is not a JSON object", { where: source.name });
  return value;
}
