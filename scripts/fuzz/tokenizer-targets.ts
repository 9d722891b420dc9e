/** @file Each file of a tokenizer, beside the others as they are published. */

import { InputError } from "../../src/errors.ts";
import { MemorySource } from "../../src/formats/byte-source.ts";
import type { FileFolder } from "../../src/formats/file-folder.ts";
import { loadTokenizer } from "../../src/sequence/tokenizer.ts";
import { type FuzzTarget, FuzzViolation, fixture, jsonWords } from "./target.ts";

/** A folder in memory. */
class MemoryFolder implements FileFolder {
  readonly name = "memory";
  readonly path = "memory";
  readonly #files: ReadonlyMap<string, Uint8Array>;

  constructor(files: ReadonlyMap<string, Uint8Array>) {
    this.#files = files;
  }

  pathOf(member: string): string {
    return `memory/${member}`;
  }

  async has(member: string): Promise<boolean> {
    return this.#files.has(member);
  }

  async open(member: string): Promise<MemorySource> {
    const bytes = this.#files.get(member);
    if (bytes === undefined) throw new InputError("is not there", { where: member });
    return new MemorySource(bytes, this.pathOf(member));
  }

  folder(): MemoryFolder {
    return new MemoryFolder(new Map());
  }
}

/** Which files stand beside the fuzzed one: a reader looks at some only where others are missing. */
const BESIDE: Readonly<Record<string, readonly string[]>> = {
  "tokenizer.json": ["tokenizer_config.json"],
  "vocab.json": ["merges.txt", "tokenizer_config.json"],
  "merges.txt": ["vocab.json", "tokenizer_config.json"],
  "added_tokens.json": ["vocab.json", "merges.txt", "special_tokens_map.json"],
  "special_tokens_map.json": ["tokenizer.json"],
  "tokenizer_config.json": ["tokenizer.json"],
};

const TEXTS = [
  "",
  "a red apple, 32*32\n\n  猫 don't",
  "<|image_area|>1*1<|begin_of_image|>\u{1f600}e\u0301",
  "\ud800 \0",
];

const same = (bytes: Uint8Array): Uint8Array => bytes;

/** With long tokens that no merge makes: elsewhere hardly a change leaves a vocabulary that its merges fit. */
function padded(vocab: Uint8Array): Uint8Array {
  const long = Array.from({ length: 12 }, (_, at) => `"${"=".repeat(600 + at)}": ${1000 + at}`);
  return Buffer.from(`{${long.join(", ")}, ${Buffer.from(vocab).toString().trim().slice(1)}`);
}

export async function tokenizerFiles(): Promise<FuzzTarget[]> {
  return Promise.all(
    Object.entries(BESIDE).map(async ([name, beside]): Promise<FuzzTarget> => {
      const read = (model: string, file: string): Promise<Uint8Array> =>
        fixture(`test/parity/models/${model}/${file}`);
      const others = new Map<string, Uint8Array>();
      for (const other of beside) others.set(other, await read("v1.1", other));
      return {
        name,
        seeds: (await Promise.all([read("v1.1", name), read("v1", name)])).map(
          name === "vocab.json" ? padded : same,
        ),
        words: jsonWords(
          '"Regex":"(a+)+$"',
          '"type":',
          '"content":',
          '"id":',
          "\xc4\xa0 t\n",
          "__proto__",
          "4194305",
        ),
        run: async (bytes) => {
          const tokenizer = await loadTokenizer(new MemoryFolder(new Map([...others, [name, bytes]])));
          for (const text of TEXTS) {
            const ids = tokenizer.encode(text, { special: true });
            if (!ids.every((id) => Number.isInteger(id) && id >= 0 && id < tokenizer.size)) {
              throw new FuzzViolation(`${JSON.stringify(text)} has the ids ${ids.join()}`);
            }
            tokenizer.decode(ids);
          }
        },
      };
    }),
  );
}
