/** @file What people bring as training data: tables of captions, captions in some encoding, descriptions of samples. */

import { resolve, sep } from "node:path";
import { decodeText } from "../../src/formats/text.ts";
import { readDigitalSourceType, xmpPacket } from "../../src/formats/xmp.ts";
import { parseTable } from "../../src/train/data/record-table.ts";
import { captionsOf, checkSample, parseSampleJson, pickCaption } from "../../src/train/data/sample-json.ts";
import { parsePairs } from "../../src/train/preference/pair-file.ts";
import { type FuzzTarget, FuzzViolation, jsonWords, words } from "./target.ts";

const COLUMNS = [["file_name"], ["caption", "text", "caption_all"]];

/** UTF-16 with its byte order mark. */
function utf16(text: string, order: "le" | "be"): Uint8Array {
  const bytes = Buffer.from(`\ufeff${text}`, "utf16le");
  return order === "le" ? bytes : bytes.swap16();
}

/** Reads a table as `nextstep data build` does, and every record in it. */
function table(name: string, file: string, texts: readonly string[], own: readonly Uint8Array[]): FuzzTarget {
  return {
    name,
    seeds: [
      ...texts.map((text) => Buffer.from(text)),
      utf16(texts[0]!, "le"),
      Buffer.from(`\ufeff${texts[0]!}`),
    ],
    words: own,
    run: async (bytes) => {
      let line = 0;
      for (const entry of parseTable(bytes, file, COLUMNS)) {
        if (!(entry.line > line)) throw new FuzzViolation(`line ${entry.line} follows line ${line}`);
        line = entry.line;
        checkCaptions(checkSample(entry.record, entry.where));
      }
    },
  };
}

export function csvTable(): FuzzTarget {
  const quoted = 'file_name,caption,width\r\na/1.png,"a ""red"" apple,\non a table",64\r\nb.png,猫,\r\n';
  const plain = "file_name,text\n1.png,one\n2.png,two\n3.png,007\n";
  const own = words('"', '""', ",", ";", "\n", "\r\n", "\t", "file_name", "caption", "caption_all", "1e5");
  return table("csv table", "captions.csv", [quoted, plain], own);
}

export function preferencePairs(): FuzzTarget {
  const folder = resolve("pairs");
  const pair = { prompt: "猫", winner: "a/1.png", loser: "b.png", winnerReward: 0.5, loserReward: -1 };
  const seeds = [`${JSON.stringify(pair)}\n\n${JSON.stringify({ ...pair, loser: "c/../d.png" })}\n`];
  return {
    name: "preference pairs",
    seeds: seeds.map((text) => Buffer.from(text)),
    words: jsonWords("\n", "../", "/", "\\", "\\u0000", '"__proto__":{', '"winner":"..', "1e999"),
    run: async (bytes) => {
      for (const { winnerPath, loserPath, where } of parsePairs(bytes, folder)) {
        const isBelow = [winnerPath, loserPath].every(
          (path) => resolve(path).startsWith(folder + sep) || resolve(path) === folder,
        );
        if (!isBelow || winnerPath === loserPath)
          throw new FuzzViolation(`${where}: ${winnerPath} and ${loserPath}`);
      }
    },
  };
}

export function jsonlTable(): FuzzTarget {
  const all = '{"file_name":"1.png","caption_all":["a","b"],"metadata":{"caption_weights":[0.5,0.5]}}';
  const plain = '{"file_name":"a/2.png","text":"猫"}\n\n{"file_name":"3.png","caption":null}\n';
  const own = jsonWords("\n", '"caption_all":{"a":["b"]}', '"caption_weights":[', '"__proto__":{');
  return table("jsonl table", "metadata.jsonl", [`${all}\n${plain}`, plain], own);
}

export function captionText(): FuzzTarget {
  const text = "a small café by the sea, \u{1f600} 猫\n";
  return {
    name: "caption text",
    seeds: [
      Buffer.from(text),
      Buffer.from(`\ufeff${text}`),
      utf16(text, "le"),
      utf16(text, "be"),
      Buffer.from("plain words"),
    ],
    words: words(
      "\xef\xbb\xbf",
      "\xff\xfe",
      "\xfe\xff",
      "\xff\xfe\0\0",
      "\0\0\xfe\xff",
      "caf\xe9",
      "\0",
      "\xd8",
    ),
    run: async (bytes) => {
      const read = decodeText(bytes, "caption.txt");
      if (read.includes("\0")) throw new FuzzViolation("a NUL came through");
      // What is written again as UTF-8 says the same. A second mark is a character of the text.
      const again = Buffer.from(`\ufeff${read}`);
      if (decodeText(again, "caption.txt") !== read) throw new FuzzViolation("does not come back");
    },
  };
}

function checkCaptions(description: Parameters<typeof captionsOf>[0]): void {
  const captions = captionsOf(description, "fuzzed sample");
  if (captions.length === 0) return;
  const total = captions.reduce((sum, { weight }) => sum + weight, 0);
  if (!(Math.abs(total - 1) < 1e-6)) throw new FuzzViolation(`weights add up to ${total}`);
  for (const uniform of [0, 0.5, 1 - 2 ** -24]) {
    if (pickCaption(captions, uniform, "fuzzed sample").trim() === "") {
      throw new FuzzViolation("an empty caption is picked");
    }
  }
}

export function sampleDescription(): FuzzTarget {
  const published = {
    caption: "a red apple",
    caption_all: { short: ["apple"], long: "a red apple on a table" },
    metadata: { caption_weights: [0.25, 0.75], width: 64 },
  };
  const list = { caption_all: ["a", "", "猫"], metadata: { caption_weights: [1e308, 1e308, 5e-324] } };
  return {
    name: "sample description",
    seeds: [published, list, { text: "words" }, { caption: null }].map((json) =>
      Buffer.from(JSON.stringify(json)),
    ),
    words: jsonWords(
      '"caption_all":',
      '"caption_weights":[',
      "-1",
      "0",
      "1e308",
      '"__proto__":{',
      "\xef\xbb\xbf",
    ),
    run: async (bytes) => checkCaptions(parseSampleJson(bytes, "fuzzed sample")),
  };
}

/** The packet alone; `png text` reaches it through a picture. Never refuses: a packet that says nothing says nothing. */
export function xmp(): FuzzTarget {
  const element = xmpPacket("trainedAlgorithmicMedia");
  const attribute = `<rdf:Description Iptc4xmpExt:DigitalSourceType = 'http://cv.iptc.org/newscodes/digitalsourcetype/compositeWithTrainedAlgorithmicMedia'/>`;
  return {
    name: "xmp",
    seeds: [Buffer.from(element), Buffer.from(attribute)],
    words: words(
      "DigitalSourceType",
      "DigitalSourceType=",
      ">",
      "<",
      '"',
      "'",
      "=",
      "   ",
      "digitalsourcetype/",
    ),
    run: async (bytes) => {
      const found = readDigitalSourceType(new TextDecoder().decode(bytes));
      if (found !== undefined && !/^[\w:/.-]*$/.test(found)) throw new FuzzViolation(`found ${found}`);
    },
  };
}
