import { readFileSync } from "node:fs";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";
import { ConfigError } from "../../errors.ts";
import { LocalFolder } from "../../files/local-folder.ts";
import { createTokenizer, loadTokenizer } from "../../sequence/tokenizer.ts";
import { readTokenizerFiles } from "../../sequence/tokenizer-files.ts";
import { trainTextTokenizer } from "./byte-pair-training.ts";
import { tokenizerFileTexts } from "./tokenizer-writer.ts";

const models = fileURLToPath(new URL("../../../test/parity/models/", import.meta.url));

const CORPUS = [
  "a red apple on a table",
  "a green apple and a red pear, 2 pears",
  "It's the apple's 12th table; they'll sit at tables",
  "二つのりんごとテーブル、二つの梨",
  "naïve café, café au lait",
  "x\n\n  y\t\tz",
];
const SPECIALS = 12;

/** The plainest way to train: count all pairs anew for every merge. */
function trainPlainly(
  words: readonly (readonly string[])[],
  size: number,
  alphabet: readonly string[],
): string[][] {
  const ids = new Map(alphabet.map((token, id) => [token, id]));
  let current = words.map((word) => [...word]);
  const merges: string[][] = [];
  while (ids.size < size) {
    const counts = new Map<string, { count: number; pair: [string, string] }>();
    for (const word of current) {
      for (let at = 1; at < word.length; at++) {
        const pair: [string, string] = [word[at - 1] ?? "", word[at] ?? ""];
        const entry = counts.get(JSON.stringify(pair)) ?? { count: 0, pair };
        counts.set(JSON.stringify(pair), { ...entry, count: entry.count + 1 });
      }
    }
    const order = [...counts.values()].sort((a, b) => {
      const left = (ids.get(a.pair[0]) ?? 0) - (ids.get(b.pair[0]) ?? 0);
      return b.count - a.count || left || (ids.get(a.pair[1]) ?? 0) - (ids.get(b.pair[1]) ?? 0);
    });
    const best = order[0];
    if (best === undefined || best.count < 2) break;
    const [left, right] = best.pair;
    merges.push([left, right]);
    if (!ids.has(left + right)) ids.set(left + right, ids.size);
    current = current.map((word) => {
      const out: string[] = [];
      for (let at = 0; at < word.length; at++) {
        if (word[at] === left && word[at + 1] === right) {
          out.push(left + right);
          at++;
        } else out.push(word[at] ?? "");
      }
      return out;
    });
  }
  return merges;
}

describe("published files", () => {
  it.each(["v1", "v1.1", "train"])("of %s are written again byte for byte", async (model) => {
    const texts = tokenizerFileTexts(await readTokenizerFiles(new LocalFolder(join(models, model))));
    expect(texts.size).toBe(6);
    for (const [name, text] of texts)
      expect(text, name).toBe(readFileSync(join(models, model, name), "utf8"));
  });
});

describe("trainTextTokenizer", () => {
  it("takes the merges that counting anew would take", async () => {
    // One long word of few letters makes overlaps and ties.
    let state = 5;
    const letters = Array.from({ length: 400 }, () => {
      state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
      return "abcd"[state >>> 30] ?? "a";
    });
    const { json } = await trainTextTokenizer([letters.join("")], { size: 256 + 40 + SPECIALS });
    const alphabet = Object.entries(json.model.vocab)
      .filter(([, id]) => id < 256)
      .sort((a, b) => a[1] - b[1])
      .map(([token]) => token);
    expect(json.model.merges).toEqual(trainPlainly([letters], 256 + 40, alphabet));
  });

  it("depends on the texts, not on their order or source", async () => {
    async function* stream() {
      yield* [...CORPUS].reverse();
    }
    const options = { size: 320 };
    const once = tokenizerFileTexts(await trainTextTokenizer(CORPUS, options));
    expect(tokenizerFileTexts(await trainTextTokenizer(stream(), options))).toEqual(once);
  });

  it("gives special tokens in the published order behind the base vocabulary", async () => {
    const tokenizer = createTokenizer(await trainTextTokenizer(CORPUS, { size: 300 }));
    expect(tokenizer.size).toBe(300);
    expect(tokenizer.idOf("!")).toBe(0);
    expect(tokenizer.encode("32*32")).toEqual([18, 17, 9, 18, 17]);
    const { eos, pad, area, boi, eoi, placeholder, bos } = tokenizer.specials;
    expect([eos, pad, area, boi, eoi, placeholder, bos]).toEqual([288, 291, 292, 293, 294, 295, null]);
    expect(tokenizer.idOf("<|end_of_thinking|>")).toBe(299);
  });

  it("spells no digits together and needs fewer ids for what it has seen", async () => {
    const tokenizer = createTokenizer(
      await trainTextTokenizer([...CORPUS, "12 12 12 2024 2024"], { size: 400 }),
    );
    expect(tokenizer.encode("2024").length).toBe(4);
    const { length } = tokenizer.encode("a red apple on a table");
    expect(length).toBeLessThan(12);
  });

  it("stops when no pair comes twice", async () => {
    expect(createTokenizer(await trainTextTokenizer(["ab"], { size: 1000 })).size).toBe(256 + SPECIALS);
    expect(createTokenizer(await trainTextTokenizer([], { size: 268 })).size).toBe(268);
  });

  it("refuses sizes that do not hold the bytes", async () => {
    for (const size of [267, 300.5, 2 ** 22]) {
      await expect(trainTextTokenizer(CORPUS, { size })).rejects.toThrow(ConfigError);
    }
  });

  it("writes files that load and read any text in normal form C, with and without tokenizer.json", async () => {
    const folder = await mkdtemp(join(tmpdir(), "trained-tokenizer-"));
    try {
      const files = await trainTextTokenizer(CORPUS, { size: 400 });
      for (const [name, text] of tokenizerFileTexts(files)) await writeFile(join(folder, name), text);
      const trained = createTokenizer(files);
      const loaded = await loadTokenizer(new LocalFolder(folder));
      await rm(join(folder, "tokenizer.json"));
      const assembled = await loadTokenizer(new LocalFolder(folder));
      let state = 17;
      const random = (limit: number) => {
        state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
        return Math.floor((state / 2 ** 32) * limit);
      };
      for (let round = 0; round < 300; round++) {
        let text = CORPUS[random(CORPUS.length)]?.slice(random(8)) ?? "";
        for (let n = random(12); n > 0; n--) {
          const point = random([0x80, 0x800, 0x3000, 0x11000][random(4)] ?? 0x80);
          if (point < 0xd800 || point > 0xdfff) text += String.fromCodePoint(point);
        }
        text = text.normalize("NFC");
        const ids = trained.encode(text);
        expect(trained.decode(ids)).toBe(text);
        expect(loaded.encode(text)).toEqual(ids);
        expect(assembled.encode(text)).toEqual(ids);
      }
      expect(assembled.specials).toEqual(trained.specials);
    } finally {
      await rm(folder, { recursive: true });
    }
  });
});
