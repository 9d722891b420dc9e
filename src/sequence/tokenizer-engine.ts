/** @file The one place that touches the tokenizer library, and the part of it that is used. */

import { Tokenizer } from "@huggingface/tokenizers";
import { ModelFormatError } from "../errors.ts";
import type { TokenizerJson } from "./tokenizer-json.ts";

/** Written down here because the library's own types do not resolve under Node's module rules. */
export interface TokenizerEngine {
  encode(text: string, options: { readonly add_special_tokens: boolean }): { readonly ids: number[] };
  token_to_id(token: string): number | undefined;
  /** Cuts a text into words of byte characters. */
  readonly pre_tokenizer: { pre_tokenize(text: string): string[] } | null;
}

/** Throws ModelFormatError for files that the library refuses. */
export function createEngine(json: TokenizerJson): TokenizerEngine {
  try {
    const engine: TokenizerEngine = new Tokenizer(json, {});
    return engine;
  } catch (cause) {
    throw new ModelFormatError("the tokenizer files do not fit together", { where: "tokenizer.json", cause });
  }
}
