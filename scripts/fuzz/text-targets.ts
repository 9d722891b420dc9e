import { deflateSync } from "node:zlib";
import { nodeZlib } from "../../src/files/zlib.ts";
import { formatParameters, parametersSize, parseParameters } from "../../src/formats/a1111.ts";
import { readPngChunks, writePngChunks } from "../../src/formats/png.ts";
import { findPngText, readPngTexts, setPngTexts } from "../../src/formats/png-text.ts";
import { readDigitalSourceType, XMP_KEYWORD, xmpPacket } from "../../src/formats/xmp.ts";

import { type FuzzTarget, FuzzViolation, fixture, repairPng, words } from "./target.ts";

const utf8 = new TextEncoder();

export async function pngText(): Promise<FuzzTarget> {
  const picture = await fixture("test/parity/cases/edit-wide.png");
  const marked = setPngTexts(picture, [
    { keyword: "parameters", text: RECIPE },
    { keyword: "nextstep", text: '{"prompt":"猫"}' },
    { keyword: XMP_KEYWORD, text: xmpPacket("trainedAlgorithmicMedia"), kind: "iTXt" },
  ]);
  const chunks = readPngChunks(marked);
  const packed = deflateSync(Buffer.from("packed ".repeat(50)));
  chunks.splice(1, 0, { type: "zTXt", data: Buffer.concat([Buffer.from("z\0\0"), packed]) });
  chunks.splice(1, 0, { type: "iTXt", data: Buffer.concat([Buffer.from("i\0\x01\0en\0key\0"), packed]) });
  // Pixels are not read here: few of them leave more mutations for the texts.
  const small = chunks.map(({ type, data }) => ({
    type,
    data: type === "IDAT" ? data.subarray(0, 40) : data,
  }));
  return {
    name: "png text",
    seeds: [writePngChunks(small), picture],
    words: words(
      "tEXt",
      "iTXt",
      "zTXt",
      "IDAT",
      "IEND",
      "IHDR",
      "parameters\0",
      "k\0\0\0\0\0",
      "k\0\x01\0\0\0",
      "\0",
    ),
    run: async (bytes) => {
      for (const { keyword, text } of await readPngTexts(bytes, nodeZlib)) {
        if (keyword === "parameters") parseParameters(text);
        if (keyword === XMP_KEYWORD) readDigitalSourceType(text);
      }
      const added = setPngTexts(bytes, [{ keyword: "added", text: "\u2713" }]);
      if (findPngText(await readPngTexts(added, nodeZlib), "added") === undefined)
        throw new FuzzViolation("text is lost");
    },
    repair: repairPng,
  };
}

const RECIPE =
  "a red apple, on a table\nNegative prompt: blurry\nlow quality\n" +
  'Steps: 28, Sampler: NextStep SDE, CFG scale: 7.5, Seed: 42, Size: 512x768, Model: "a, \\"b\\": c", Version: 1';

export function parameters(): FuzzTarget {
  return {
    name: "a1111 parameters",
    seeds: [utf8.encode(RECIPE), utf8.encode('猫\nNegative prompt:\nab: 1, cd: , ef: "x\\u0041", Size: 1x1')],
    words: words(
      ":",
      ",",
      '"',
      "\\",
      "\n",
      "Negative prompt:",
      "Size: 9x9,",
      'k1: "a, b",',
      "ab: ",
      "\u00e9",
    ),
    run: async (bytes) => {
      const read = parseParameters(new TextDecoder().decode(bytes));
      parametersSize(read);
      const plain = { ...read, prompt: "", negativePrompt: "" };
      if (read.settings.size >= 3) {
        const again = parseParameters(formatParameters(plain));
        const same = JSON.stringify([...again.settings]) === JSON.stringify([...read.settings]);
        if (!same) throw new FuzzViolation("settings do not come back");
      }
    },
  };
}
