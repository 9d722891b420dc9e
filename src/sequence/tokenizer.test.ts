import { execFile } from "node:child_process";
import { readdirSync, readFileSync } from "node:fs";
import { copyFile, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { InputError, ModelFormatError, UnsupportedError } from "../errors.ts";
import { LocalFolder } from "../files/local-folder.ts";
import { MAX_COMBINING_MARKS, MAX_TEXT_CHARACTERS } from "./text-limits.ts";
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

const frame = (id: string) => ({
  type: "TemplateProcessing",
  single: [{ SpecialToken: { id, type_id: 0 } }, { Sequence: { id: "A", type_id: 0 } }],
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

  const published = JSON.parse(readFileSync(join(parity, "models/v1/tokenizer.json"), "utf8"));
  const split = (pattern: string) => ({
    pre_tokenizer: {
      ...published.pre_tokenizer,
      pretokenizers: [
        { ...published.pre_tokenizer.pretokenizers[0], pattern: { Regex: pattern } },
        published.pre_tokenizer.pretokenizers[1],
      ],
    },
  });
  const foreign: [string, object, RegExp][] = [
    ["a split pattern that runs away", split("(?:\\p{L}+)+$|."), /split pattern is .*, not Qwen2's/],
    ["no words at all", { pre_tokenizer: null }, /pre_tokenizer is none/],
    ["words of another kind", { pre_tokenizer: { type: "\u001b[2J" } }, /pre_tokenizer is "\\u001b\[2J"/],
    [
      "words in another order",
      { pre_tokenizer: { type: "Sequence", pretokenizers: [null] } },
      /pre-tokenizer/,
    ],
    ["another normal form", { normalizer: { type: "Replace", pattern: { Regex: "(a+)+$" } } }, /normalizer/],
    ["another frame", { post_processor: { type: "BertProcessing" } }, /post_processor/],
    ["another model's rule", { model: { ...published.model, byte_fallback: true } }, /byte_fallback/],
  ];
  it.each(foreign)("refuses %s", async (_, parts, message) => {
    const folder = await folderOf("v1", [], { "tokenizer.json": JSON.stringify({ ...published, ...parts }) });
    await expect(loadTokenizer(new LocalFolder(folder))).rejects.toThrow(UnsupportedError);
    await expect(loadTokenizer(new LocalFolder(folder))).rejects.toThrow(message);
  });

  const { vocab, merges } = published.model;
  const { "!": _exclamation, ...withoutByte } = vocab;
  const unfit: [string, object, RegExp][] = [
    [
      "merges whose result is not in the vocabulary",
      { model: { vocab, merges: [...merges, ["zz", "a"]] } },
      /"zz", which the vocab/,
    ],
    ["merges of three", { model: { vocab, merges: ["a b c"] } }, /other than pairs/],
    ["a vocabulary without one of the bytes", { model: { vocab: withoutByte, merges: [] } }, /byte 33/],
    ["a token of 2,000 characters", { model: { vocab: { ...vocab, ["a".repeat(2000)]: 999 } } }, /2000/],
    ["one id for two tokens", { added_tokens: [{ id: 64, content: "<s>" }] }, /id 64 stands for two/],
    ["two ids for one token", { added_tokens: [{ id: 999, content: "a" }] }, /"a" has the ids 64 and 999/],
    ["a frame of unknown tokens", { post_processor: frame("<s>") }, /other than tokens/],
    ["a frame without a text", { post_processor: { type: "TemplateProcessing", single: [] } }, /text in it/],
  ];
  it.each(unfit)("refuses %s", async (_, parts, message) => {
    const json: Record<string, object> = { ...published, ...parts };
    const model = { ...published.model, ...json.model };
    const folder = await folderOf("v1", [], { "tokenizer.json": JSON.stringify({ ...json, model }) });
    await expect(loadTokenizer(new LocalFolder(folder))).rejects.toThrow(ModelFormatError);
    await expect(loadTokenizer(new LocalFolder(folder))).rejects.toThrow(message);
  });

  it("puts the tokens of a frame around a text only when asked", async () => {
    const text = JSON.stringify({ ...published, post_processor: frame("<|im_start|>") });
    const tokenizer = await loadTokenizer(
      new LocalFolder(await folderOf("v1", [], { "tokenizer.json": text })),
    );
    expect(tokenizer.encode("a")).toEqual([64]);
    expect(tokenizer.encode("a", { special: true })).toEqual([511, 64]);
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

describe("long texts", () => {
  it("are tokenised whatever they are made of, without end of the stack or of patience", async () => {
    const units = [
      "apple ",
      "a",
      " ",
      "\n",
      " \n",
      "猫",
      "\u{20000}",
      "\ud800",
      "'s",
      "1",
      " !",
      "<|image_area|",
    ];
    const script = `
      import { loadTokenizer } from ${JSON.stringify(new URL("./tokenizer.ts", import.meta.url).href)};
      import { LocalFolder } from ${JSON.stringify(new URL("../files/local-folder.ts", import.meta.url).href)};
      const tokenizer = await loadTokenizer(new LocalFolder(${JSON.stringify(join(parity, "models/v1"))}));
      for (const unit of ${JSON.stringify(units)}) {
        const text = unit.repeat(Math.floor(60_000 / unit.length));
        console.log(tokenizer.decode(tokenizer.encode(text)) === text.replace(/[\\ud800-\\udfff]/gu, "\\ufffd"));
      }`;
    const { stdout } = await promisify(execFile)(
      process.execPath,
      ["--stack-size=200", "--import", "tsx", "--input-type=module", "-e", script],
      { timeout: 60_000 },
    );
    expect(stdout.trim().split("\n")).toEqual(units.map(() => "true"));
  });

  it("are refused beyond the limits, with the numbers", async () => {
    const tokenizer = await loadTokenizer(new LocalFolder(join(parity, "models/v1")));
    expect(() => tokenizer.encode("a".repeat(MAX_TEXT_CHARACTERS + 1))).toThrow(/1048577 char.* 1048576/);
    const marks = "\u0301\u0323".repeat(MAX_COMBINING_MARKS / 2);
    expect(tokenizer.encode(`a${marks}`).length).toBeGreaterThan(1024);
    expect(() => tokenizer.encode(`a${marks}\u0301`)).toThrow(InputError);
    expect(() => tokenizer.encode(`a${marks.repeat(500)}`)).toThrow(/512000 combining marks/);
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
