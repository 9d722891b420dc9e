/** @file A byte-level BPE tokenizer of a given size that knows no language: the pairs of bytes, then longer ones. */
import { BYTE_CHARACTERS } from "../../sequence/byte-alphabet.ts";
import { ADDITIONAL_SPECIAL_TOKENS, END_OF_TEXT, PADDING } from "../../sequence/special-tokens.ts";
import { QWEN_SPECIAL_TOKENS } from "./stand-in-shapes.ts";

/** Tokenizer files by name, in the published form (docs/nextstep-spec.md 1.2, 1.4). */
export function standInTokenizer(textIds: number): ReadonlyMap<string, string> {
  const { vocabulary, merges } = buildVocabulary(textIds);
  const special = [...QWEN_SPECIAL_TOKENS, PADDING, ...ADDITIONAL_SPECIAL_TOKENS];
  const decoder = Object.fromEntries(
    special.map((content, i) => [
      textIds + i,
      { content, lstrip: false, normalized: false, rstrip: false, single_word: false, special: true },
    ]),
  );
  const config = {
    added_tokens_decoder: decoder,
    additional_special_tokens: ADDITIONAL_SPECIAL_TOKENS,
    bos_token: null,
    eos_token: END_OF_TEXT,
    pad_token: PADDING,
    tokenizer_class: "Qwen2Tokenizer",
  };
  const json = (value: unknown): string => `${JSON.stringify(value)}\n`;
  const added = Object.fromEntries(special.map((content, i) => [content, textIds + i]));
  return new Map([
    ["vocab.json", json(vocabulary)],
    ["merges.txt", `#version: 0.2\n${merges.join("\n")}\n`],
    ["added_tokens.json", json(added)],
    ["tokenizer_config.json", json(config)],
  ]);
}

/** The 256 bytes in GPT-2's order, as every such vocabulary begins, and merges until there are enough tokens. */
function buildVocabulary(textIds: number): { vocabulary: Record<string, number>; merges: string[] } {
  const bytes = BYTE_CHARACTERS.toSorted((a, b) => (a < b ? -1 : 1));
  const tokens = [...bytes];
  const merges: string[] = [];
  // A token of two bytes or more is continued by each byte, the shortest tokens first: all strings differ.
  for (let first = 0; tokens.length < textIds; first++) {
    for (const byte of bytes) {
      if (tokens.length === textIds) break;
      const start = tokens[first] as string;
      merges.push(`${start} ${byte}`);
      tokens.push(start + byte);
    }
  }
  return { vocabulary: Object.fromEntries(tokens.map((token, id) => [token, id])), merges };
}
