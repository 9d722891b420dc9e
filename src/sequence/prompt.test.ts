import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { beforeAll, describe, expect, it } from "vitest";
import { InputError } from "../errors.ts";
import { LocalFolder } from "../files/local-folder.ts";
import type { ImageSize } from "../image/pixels.ts";
import { buildPromptRows, type PromptCode, type PromptRequest } from "./prompt.ts";
import { createTokenizer, loadTokenizer, type TextTokenizer } from "./tokenizer.ts";
import { readTokenizerFiles } from "./tokenizer-files.ts";

const parity = fileURLToPath(new URL("../../test/parity/", import.meta.url));
const cases = readdirSync(join(parity, "cases")).filter((name) => name.endsWith(".json"));
const read = (name: string) => JSON.parse(readFileSync(join(parity, "cases", name), "utf8"));

interface Settings {
  captions: string[];
  images: ImageSize[] | null;
  num_images_per_caption: number;
  positive: string | null;
  negative: string | null;
  hw: ImageSize;
  cfg: number;
  cfg_img: number;
}

function toRequest(settings: Settings, images: ImageSize[] | null, code: PromptCode): PromptRequest {
  const { captions, positive, negative, hw: size, cfg } = settings;
  const imagesPerCaption = settings.num_images_per_caption;
  return {
    captions,
    images,
    imagesPerCaption,
    positive,
    negative,
    size,
    cfg,
    cfgImg: settings.cfg_img,
    code,
  };
}

/** An int64 tensor of a safetensors file, as nested rows. */
function readIds(file: string, name: string): number[][] {
  const bytes = readFileSync(join(parity, "cases", file));
  const headerBytes = Number(bytes.readBigUInt64LE(0));
  const header = JSON.parse(bytes.toString("utf8", 8, 8 + headerBytes));
  const { shape, data_offsets: offsets } = header[name];
  return Array.from({ length: shape[0] }, (_, row) =>
    Array.from({ length: shape[1] }, (_, column) =>
      Number(bytes.readBigInt64LE(8 + headerBytes + offsets[0] + 8 * (row * shape[1] + column))),
    ),
  );
}

/** Height and width of a PNG. */
function pngSize(name: string): ImageSize {
  const bytes = readFileSync(join(parity, "cases", name));
  return [bytes.readUInt32BE(20), bytes.readUInt32BE(16)];
}

interface Entry {
  code: PromptCode;
  model: string;
  settings: Settings;
  rows: string[];
  image_sizes: ImageSize[] | null;
  input_ids: number[][];
  attention_mask: number[][];
}

const entries = cases
  .map(read)
  .filter((item) => item.kind === "prompts")
  .flatMap((item): Entry[] => item.entries);

describe("parity with the published code", () => {
  it.each(entries.map((entry, index) => [index, entry] as const))("prompt %i", async (_, entry) => {
    const tokenizer = await loadTokenizer(new LocalFolder(join(parity, "models", entry.model)));
    const prompt = buildPromptRows(tokenizer, toRequest(entry.settings, entry.settings.images, entry.code));
    expect(prompt.rows.map((row) => row.text)).toEqual(entry.rows);
    expect(prompt.inputIds).toEqual(entry.input_ids);
    expect(prompt.attentionMask).toEqual(entry.attention_mask);
    const { images } = entry.settings;
    const order = prompt.rows.flatMap((row) => row.images.map(({ image }) => images?.[image]));
    expect(order).toEqual(entry.image_sizes ?? []);
  });

  const generations = cases.filter((name) => ["t2i", "edit"].includes(read(name).kind));
  it.each(generations)("rows of %s", async (name) => {
    const item = read(name);
    const tokenizer = await loadTokenizer(new LocalFolder(join(parity, "models", item.model)));
    const code: PromptCode = item.settings.sampler === "P-A" ? "P-A" : "P-B";
    const images: ImageSize[] | null = item.images?.map(pngSize) ?? null;
    const prompt = buildPromptRows(tokenizer, toRequest(item.settings, images, code));
    const file = name.replace(/json$/, "safetensors");
    expect(prompt.inputIds).toEqual(readIds(file, "input_ids"));
    expect(prompt.attentionMask).toEqual(readIds(file, "attention_mask"));
    expect(prompt.branches).toBe(item.branches);
  });
});

describe("rows", () => {
  let tokenizer: TextTokenizer;
  beforeAll(async () => {
    tokenizer = await loadTokenizer(new LocalFolder(join(parity, "models/v1.1")));
  });
  const request: PromptRequest = {
    captions: ["a boat"],
    images: null,
    imagesPerCaption: 1,
    positive: null,
    negative: null,
    size: [64, 64],
    cfg: 7.5,
    cfgImg: 1,
    code: "P-B",
  };

  it("give every picture the images of its own caption, in order", () => {
    const prompt = buildPromptRows(tokenizer, {
      ...request,
      captions: ["put <image> on <image>", "turn <image>"],
      images: [
        [32, 32],
        [32, 48],
        [16, 16],
      ],
      imagesPerCaption: 2,
      negative: "bad",
      cfgImg: 2,
    });
    expect(prompt.branches).toBe(3);
    expect(prompt.pictures).toBe(4);
    const used = prompt.rows.map((row) => row.images.map(({ image }) => image));
    expect(used).toEqual([[0, 1], [0, 1], [2], [2], [0, 1], [0, 1], [2], [2], [], [], [], []]);
    expect(prompt.rows[4]?.text.endsWith("<|end_of_image|>bad")).toBe(true);
    for (const row of prompt.rows) {
      for (const { start, length } of row.images) {
        const tokens = row.ids.slice(start, start + length);
        expect(tokens).toEqual(new Array(length).fill(tokenizer.specials.placeholder));
        expect(row.ids[start - 1]).toBe(tokenizer.specials.boi);
        expect(row.ids[start + length]).toBe(tokenizer.specials.eoi);
      }
    }
  });

  it("take a BOS in P-B only, and lose the area token of the prefix with one", async () => {
    const files = await readTokenizerFiles(new LocalFolder(join(parity, "models/v1.1")));
    const withBos = createTokenizer({ ...files, names: { ...files.names, bosToken: "<|endoftext|>" } });
    const { boi, eos } = tokenizer.specials;
    const images = [[16, 16]] as const;
    const captions = ["<image>x"];
    const image = tokenizer.encode(
      "<|image_area|>1*1<|begin_of_image|><|image_placeholder|><|end_of_image|>x",
    );
    const prefix = [...tokenizer.encode("4*4"), boi];
    const later = buildPromptRows(withBos, { ...request, captions, images });
    expect(later.rows.map((row) => row.ids)).toEqual([
      [eos, ...image, ...prefix],
      [eos, ...prefix],
    ]);
    const earlier = buildPromptRows(withBos, { ...request, captions, images, code: "P-A" });
    expect(earlier.rows.map((row) => row.ids)).toEqual([[...image, ...prefix], prefix]);
  });

  it("leave one branch with cfg 1, whatever cfg_img says", () => {
    expect(buildPromptRows(tokenizer, { ...request, cfg: 1, cfgImg: 2 }).branches).toBe(1);
  });

  const refused: [string, Partial<PromptRequest>][] = [
    ["no captions", { captions: [] }],
    ["no pictures", { imagesPerCaption: 0 }],
    ["a size off the grid", { size: [64, 65] }],
    ["a size of nothing", { size: [0, 64] }],
    ["too few images", { captions: ["<image>"], images: [] }],
    ["too many images", { images: [[16, 16]] }],
    ["an image off the grid", { captions: ["<image>"], images: [[16, 20]] }],
    ["image guidance without images", { cfgImg: 2 }],
    ["guidance that is no number", { cfg: Number.NaN }],
    [
      "two images in a caption of P-A",
      {
        captions: ["<image><image>"],
        images: [
          [16, 16],
          [16, 16],
        ],
        code: "P-A",
      },
    ],
    ["a stray placeholder", { captions: ["<|image_placeholder|>"] }],
    ["a stray begin token", { captions: ["a <|begin_of_image|> b"] }],
    ["a stray end token", { negative: "<|end_of_image|>" }],
  ];
  it.each(refused)("refuse %s", (_, change) => {
    expect(() => buildPromptRows(tokenizer, { ...request, ...change })).toThrow(InputError);
  });

  it("read other special tokens of a caption as published", () => {
    const prompt = buildPromptRows(tokenizer, { ...request, captions: ["a<|endoftext|>"], cfg: 1 });
    expect(prompt.rows[0]?.ids.slice(0, 2)).toEqual([64, tokenizer.specials.eos]);
  });
});
