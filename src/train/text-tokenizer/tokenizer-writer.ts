/** @file Writes the tokenizer files of a model folder as published tools write them (docs/nextstep-spec.md 1.2, 1.4). */

import { ModelFormatError } from "../../errors.ts";
import type { TokenizerFiles } from "../../sequence/tokenizer-files.ts";
import type { AddedTokenEntry, TokenizerJson } from "../../sequence/tokenizer-json.ts";

/** Longest text that published configurations name; nothing in this package enforces it. */
const MODEL_MAX_LENGTH = 131_072;

/** The six tokenizer files by name: the text of each. Loading them gives the same tokenizer again. */
export function tokenizerFileTexts(files: TokenizerFiles): ReadonlyMap<string, string> {
  const { json, names } = files;
  const added = [...json.added_tokens].sort((a, b) => a.id - b.id);
  const vocabulary = Object.entries(json.model.vocab).sort((a, b) => a[1] - b[1]);
  return new Map([
    ["tokenizer.json", tokenizerText(json, added, vocabulary)],
    ["tokenizer_config.json", pretty(configOf(files, added))],
    ["special_tokens_map.json", pretty(specialMapOf(names, added))],
    ["added_tokens.json", addedText(added)],
    ["vocab.json", `{${vocabulary.map(([token, id]) => `${JSON.stringify(token)}:${id}`).join(",")}}`],
    ["merges.txt", `#version: 0.2\n${json.model.merges.map((pair) => `${pair.join(" ")}\n`).join("")}`],
  ]);
}

function pretty(value: unknown): string {
  return `${JSON.stringify(value, null, 2)}\n`;
}

/** The vocabulary is written by hand: objects would move tokens that look like numbers to the front. */
function tokenizerText(
  json: TokenizerJson,
  added: readonly AddedTokenEntry[],
  vocabulary: readonly (readonly [string, number])[],
): string {
  const whole = {
    version: "1.0",
    truncation: null,
    padding: null,
    added_tokens: added.map(({ id, content, single_word, lstrip, rstrip, normalized, special }) => ({
      id,
      content,
      single_word,
      lstrip,
      rstrip,
      normalized,
      special,
    })),
    normalizer: json.normalizer,
    pre_tokenizer: json.pre_tokenizer,
    post_processor: json.post_processor,
    decoder: json.decoder,
    model: { ...json.model, vocab: {} },
  };
  const entries = vocabulary.map(([token, id]) => `      ${JSON.stringify(token)}: ${id}`);
  // The only place where these words stand at this depth: every other key of the file has another name or indent.
  return JSON.stringify(whole, null, 2).replace(/^ {4}"vocab": \{\}/m, () =>
    entries.length === 0 ? '    "vocab": {}' : `    "vocab": {\n${entries.join(",\n")}\n    }`,
  );
}

/** Names in the order of their characters, as sorted keys come out of published tools. */
function addedText(added: readonly AddedTokenEntry[]): string {
  const lines = [...added]
    .sort((a, b) => (a.content < b.content ? -1 : 1))
    .map(({ content, id }) => `  ${JSON.stringify(content)}: ${id}`);
  return lines.length === 0 ? "{}\n" : `{\n${lines.join(",\n")}\n}\n`;
}

function configOf({ names }: TokenizerFiles, added: readonly AddedTokenEntry[]): object {
  return {
    added_tokens_decoder: Object.fromEntries(
      added.map((token) => [token.id, { ...describe(token), special: token.special }]),
    ),
    additional_special_tokens: names.additional,
    bos_token: names.bosToken,
    clean_up_tokenization_spaces: false,
    eos_token: names.eosToken,
    errors: "replace",
    extra_special_tokens: {},
    model_max_length: MODEL_MAX_LENGTH,
    pad_token: names.padToken,
    split_special_tokens: false,
    tokenizer_class: "Qwen2Tokenizer",
    unk_token: null,
  };
}

function specialMapOf(names: TokenizerFiles["names"], added: readonly AddedTokenEntry[]): object {
  const entry = (name: string) => {
    const token = added.find(({ content }) => content === name);
    if (token === undefined) throw new ModelFormatError(`${name} is not among the added tokens`);
    return describe(token);
  };
  return {
    additional_special_tokens: names.additional.map(entry),
    ...(names.bosToken === null ? {} : { bos_token: entry(names.bosToken) }),
    eos_token: entry(names.eosToken),
    pad_token: entry(names.padToken),
  };
}

function describe({ content, lstrip, normalized, rstrip, single_word }: AddedTokenEntry): object {
  return { content, lstrip, normalized, rstrip, single_word };
}
