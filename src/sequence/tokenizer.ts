/** @file Text to token ids and back: the byte-level BPE of a model folder (docs/nextstep-spec.md 1.4). */

import { InputError, ModelFormatError } from "../errors.ts";
import type { FileFolder } from "../formats/file-folder.ts";
import { joinedBytes } from "../tensor/joined.ts";
import { tokenBytes } from "./byte-alphabet.ts";
import {
  BEGIN_OF_IMAGE,
  END_OF_IMAGE,
  IMAGE_AREA,
  IMAGE_PLACEHOLDER,
  type SpecialIds,
} from "./special-tokens.ts";
import { checkText } from "./text-limits.ts";
import { createEngine, type TokenizerEngine } from "./tokenizer-engine.ts";
import { readTokenizerFiles, type TokenizerFiles } from "./tokenizer-files.ts";

export interface TextTokenizer {
  readonly specials: SpecialIds;
  /** Largest id plus one: the rows of the embedding that text can reach. The model's vocabulary may be larger. */
  readonly size: number;
  /** Bytes of the longest token: no text of more bytes is one token. */
  readonly longestToken: number;
  /** The text of bos_token, or null. */
  readonly bosToken: string | null;
  /**
   * Ids of a text. Special tokens that stand in the text are cut out first and become their ids.
   * `special` adds what the tokenizer's own template adds around a text (nothing for Qwen2); default false.
   * Throws InputError for a text beyond the limits of {@link checkText}.
   */
  encode(text: string, options?: { readonly special?: boolean }): number[];
  /** Text of ids; ids without a token add nothing, broken UTF-8 becomes U+FFFD. Throws InputError for a non-id. */
  decode(ids: readonly number[], options?: { readonly skipSpecial?: boolean }): string;
  /** Id of a token by its exact name, or null. */
  idOf(token: string): number | null;
}

/**
 * Opens the tokenizer of a model folder.
 * Throws ModelFormatError or UnsupportedError as {@link readTokenizerFiles} does, and ModelFormatError when a token
 * that sequences need ({@link SpecialIds}) is missing.
 */
export async function loadTokenizer(folder: FileFolder): Promise<TextTokenizer> {
  return createTokenizer(await readTokenizerFiles(folder));
}

/** Builds a tokenizer from files in memory. Throws ModelFormatError as {@link loadTokenizer} does. */
export function createTokenizer(files: TokenizerFiles): TextTokenizer {
  return new BytePairTokenizer(files);
}

class BytePairTokenizer implements TextTokenizer {
  readonly specials: SpecialIds;
  readonly size: number;
  readonly longestToken: number;
  readonly bosToken: string | null;
  readonly #engine: TokenizerEngine;
  /** Sparse: a hole is an id without a token. */
  readonly #tokens: (string | undefined)[] = [];
  readonly #specialIds = new Set<number>();
  readonly #decoder = new TextDecoder("utf-8", { ignoreBOM: true });

  constructor({ json, names }: TokenizerFiles) {
    this.#engine = createEngine(json);
    for (const [token, id] of Object.entries(json.model.vocab)) this.#tokens[id] = token;
    for (const { id, content, special } of json.added_tokens) {
      this.#tokens[id] = content;
      if (special) this.#specialIds.add(id);
    }
    this.size = this.#tokens.length;
    // A byte is one character in the vocabulary; added tokens stand there as text.
    this.longestToken = this.#tokens.reduce((most, token) => Math.max(most, token?.length ?? 0), 1);
    this.bosToken = names.bosToken;
    this.specials = {
      boi: this.#required(BEGIN_OF_IMAGE),
      eoi: this.#required(END_OF_IMAGE),
      placeholder: this.#required(IMAGE_PLACEHOLDER),
      area: this.#required(IMAGE_AREA),
      pad: this.#required(names.padToken),
      eos: this.#required(names.eosToken),
      bos: names.bosToken === null ? null : this.#required(names.bosToken),
    };
  }

  encode(text: string, { special = false }: { readonly special?: boolean } = {}): number[] {
    checkText(text);
    return this.#engine.encode(text, { add_special_tokens: special }).ids;
  }

  decode(ids: readonly number[], { skipSpecial = false }: { readonly skipSpecial?: boolean } = {}): string {
    const pieces: Uint8Array[] = [];
    for (const id of ids) {
      if (!Number.isInteger(id) || id < 0) throw new InputError(`${id} is not a token id`);
      const token = this.#tokens[id];
      if (token === undefined || (skipSpecial && this.#specialIds.has(id))) continue;
      pieces.push(tokenBytes(token));
    }
    return this.#decoder.decode(joinedBytes(pieces));
  }

  idOf(token: string): number | null {
    return this.#engine.token_to_id(token) ?? null;
  }

  #required(token: string): number {
    const id = this.idOf(token);
    if (id !== null) return id;
    throw new ModelFormatError(`the tokenizer has no token ${token}`, {
      where: "tokenizer.json",
      remedy: "use the tokenizer files of an image model",
    });
  }
}
