import { readdirSync, readFileSync } from "node:fs";
import { copyFile, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { ModelFormatError, UnsupportedError } from "../errors.ts";
import { LocalFolder } from "../files/local-folder.ts";
import { createTokenizer, loadTokenizer, type TextTokenizer } from "./tokenizer.ts";
import { readTokenizerFiles, withImageTokens } from "./tokenizer-files.ts";

const parity = fileURLToPath(new URL("../../test/parity/", import.meta.url));

interface TokenizerSet {
  model: string;
  bos_token: string | null;
  eos_token_id: number;
  pad_token_id: number;
  length: number;
  added: Record<string, number>;
  rows: { text: string; ids: number[]; decoded: string; decoded_skip_special: string }[];
}

const sets = readdirSync(join(parity, "cases"))
  .filter((name) => name.endsWith(".json"))
  .map((name) => JSON.parse(readFileSync(join(parity, "cases", name), "utf8")))
  .filter((item) => item.kind === "tokenizer")
  .flatMap((item): TokenizerSet[] => item.sets);

let scratch = "";
beforeAll(async () => {
  scratch = await mkdtemp(join(tmpdir(), "tokenizer-test-"));
});
afterAll(() => rm(scratch, { recursive: true }));

async function folderOf(model: string, names: readonly string[], extra: Record<string, string> = {}) {
  const folder = await mkdtemp(join(scratch, "model-"));
  for (const name of names) await copyFile(join(parity, "models", model, name), join(folder, name));
  for (const [name, text] of Object.entries(extra)) await writeFile(join(folder, name), text);
  return folder;
}

function expectSet(tokenizer: TextTokenizer, set: TokenizerSet): void {
  expect(tokenizer.size).toBe(set.length);
  expect(tokenizer.bosToken).toBe(set.bos_token);
  expect(tokenizer.specials.eos).toBe(set.eos_token_id);
  expect(tokenizer.specials.pad).toBe(set.pad_token_id);
  for (const [token, id] of Object.entries(set.added)) expect(tokenizer.idOf(token)).toBe(id);
  for (const row of set.rows) {
    expect(tokenizer.encode(row.text), row.text).toEqual(row.ids);
    expect(tokenizer.encode(row.text, { special: true }), row.text).toEqual(row.ids);
    expect(tokenizer.decode(row.ids)).toBe(row.decoded);
    expect(tokenizer.decode(row.ids, { skipSpecial: true })).toBe(row.decoded_skip_special);
  }
}

describe("published tokenizer files", () => {
  it.each(sets)("encodes and decodes every row of set $model", async (set) => {
    expectSet(await loadTokenizer(new LocalFolder(join(parity, "models", set.model))), set);
  });

  it.each(sets)("does the same for $model from vocab.json and merges.txt", async (set) => {
    const names = ["vocab.json", "merges.txt", "tokenizer_config.json", "added_tokens.json"];
    expectSet(await loadTokenizer(new LocalFolder(await folderOf(set.model, names))), set);
  });

  it.each(sets)("needs added_tokens.json for $model no more than published loaders", async (set) => {
    const names = ["vocab.json", "merges.txt", "tokenizer_config.json"];
    expectSet(await loadTokenizer(new LocalFolder(await folderOf(set.model, names))), set);
  });
});

describe("special tokens", () => {
  it("reads bos_token as text or as an object", async () => {
    const config = JSON.parse(readFileSync(join(parity, "models/v1/tokenizer_config.json"), "utf8"));
    for (const bos of ["<|endoftext|>", { content: "<|endoftext|>", lstrip: false }]) {
      const text = JSON.stringify({ ...config, bos_token: bos });
      const tokenizer = await loadTokenizer(
        new LocalFolder(await folderOf("v1", ["tokenizer.json"], { "tokenizer_config.json": text })),
      );
      expect(tokenizer.bosToken).toBe("<|endoftext|>");
      expect(tokenizer.specials.bos).toBe(510);
      expect(tokenizer.encode("a", { special: true })).toEqual([64]);
    }
  });

  it("makes a bos_token that is no added token a special token", async () => {
    const config = JSON.parse(readFileSync(join(parity, "models/v1/tokenizer_config.json"), "utf8"));
    const text = JSON.stringify({ ...config, bos_token: "<s>" });
    const tokenizer = await loadTokenizer(
      new LocalFolder(await folderOf("v1", ["tokenizer.json"], { "tokenizer_config.json": text })),
    );
    expect(tokenizer.specials.bos).toBe(524);
    expect(tokenizer.encode("<s>a")).toEqual([524, 64]);
  });

  it("appends the image tokens to a text tokenizer in the published order", async () => {
    const json = JSON.parse(readFileSync(join(parity, "models/v1/tokenizer.json"), "utf8"));
    json.added_tokens = json.added_tokens.slice(0, 5);
    const folder = await folderOf("v1", [], { "tokenizer.json": JSON.stringify(json) });
    await expect(loadTokenizer(new LocalFolder(folder))).rejects.toThrow(ModelFormatError);
    const tokenizer = createTokenizer(withImageTokens(await readTokenizerFiles(new LocalFolder(folder))));
    expect(tokenizer.specials).toEqual({
      boi: 517,
      eoi: 518,
      placeholder: 519,
      area: 516,
      pad: 515,
      eos: 510,
      bos: null,
    });
    expect(tokenizer.size).toBe(524);
  });
});

describe("hostile files", () => {
  const broken: [string, Record<string, string>][] = [
    ["no files", {}],
    ["no JSON", { "tokenizer.json": "{" }],
    ["a list", { "tokenizer.json": "[]" }],
    ["merges without pairs", { "vocab.json": "{}", "merges.txt": "a\n" }],
    ["an id that is no number", { "vocab.json": '{"a": "1"}', "merges.txt": "" }],
    ["a huge id", { "vocab.json": '{"a": 4294967296}', "merges.txt": "" }],
    ["one id twice", { "vocab.json": '{"a": 1, "b": 1}', "merges.txt": "" }],
  ];
  it.each(broken)("refuses %s", async (_, files) => {
    await expect(loadTokenizer(new LocalFolder(await folderOf("v1", [], files)))).rejects.toThrow(
      ModelFormatError,
    );
  });

  it("refuses other kinds of tokenizer", async () => {
    const files = { "tokenizer.json": JSON.stringify({ model: { type: "Unigram" }, decoder: null }) };
    await expect(loadTokenizer(new LocalFolder(await folderOf("v1", [], files)))).rejects.toThrow(
      UnsupportedError,
    );
  });

  it("refuses what the tokenizer library cannot build", async () => {
    const json = JSON.parse(readFileSync(join(parity, "models/v1/tokenizer.json"), "utf8"));
    json.pre_tokenizer = { type: "Nonsense" };
    const files = { "tokenizer.json": JSON.stringify(json) };
    await expect(loadTokenizer(new LocalFolder(await folderOf("v1", [], files)))).rejects.toThrow(
      ModelFormatError,
    );
  });

  it("survives tokens named like object members", async () => {
    const json = JSON.parse(readFileSync(join(parity, "models/v1/tokenizer.json"), "utf8"));
    json.model.vocab.constructor = 600;
    const tokenizer = await loadTokenizer(
      new LocalFolder(
        await folderOf("v1", [], {
          "tokenizer.json": JSON.stringify(json).replace('"constructor"', '"__proto__"'),
        }),
      ),
    );
    expect(tokenizer.decode([600])).toBe("__proto__");
  });
});

describe("decode", () => {
  it("gives an empty text for no ids and leaves out ids without a token", async () => {
    const tokenizer = await loadTokenizer(new LocalFolder(join(parity, "models/v1")));
    expect(tokenizer.decode([])).toBe("");
    expect(tokenizer.decode([64, 100_000, 64])).toBe("aa");
    expect(() => tokenizer.decode([-1])).toThrow("not a token id");
  });

  it("keeps a byte order mark and inverts encode for any text in normal form C", async () => {
    const tokenizer = await loadTokenizer(new LocalFolder(join(parity, "models/v1")));
    let state = 12345;
    const random = () => {
      state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
      return state / 2 ** 32;
    };
    const texts = ["\uFEFFa", "a\u0000b"];
    for (let i = 0; i < 300; i++) {
      let text = "";
      for (let n = Math.floor(random() * 30); n > 0; n--) {
        const limit = [0x80, 0x800, 0x3000, 0x1f700][Math.floor(random() * 4)] ?? 0x80;
        const point = Math.floor(random() * limit);
        if (point < 0xd800 || point > 0xdfff) text += String.fromCodePoint(point);
      }
      texts.push(text.normalize("NFC"));
    }
    for (const text of texts) expect(tokenizer.decode(tokenizer.encode(text))).toBe(text);
  });
});
