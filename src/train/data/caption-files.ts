/** @file Captions of pictures in a folder: files beside the pictures, or one list for many of them. */

import { lstat, readFile } from "node:fs/promises";
import { basename, dirname, extname, join } from "node:path";
import { z } from "zod";
import { DataFormatError } from "../../errors.ts";
import { captionsOf, MAX_JSON_BYTES, parseSampleJson } from "./sample-json.ts";
import type { SampleJson } from "./sample-writer.ts";

/** A fault of one picture, which can be left out and named; every other error stops the work. */
export class UnusablePicture extends Error {}

/** Lists of captions for a whole folder, in the order of preference. */
const LIST_NAMES = ["captions.jsonl", "metadata.jsonl"];
const MAX_LIST_BYTES = 256 * 1024 * 1024;

const listLineSchema = z.looseObject({ file_name: z.string().min(1) });

/** Finds the captions of the pictures below a folder. Lists are read once. */
export class CaptionFiles {
  readonly #root: string;
  readonly #lists = new Map<string, Promise<ReadonlyMap<string, SampleJson> | undefined>>();

  constructor(root: string) {
    this.#root = root;
  }

  /**
   * The description of a picture: from its own `.json` or `.txt`, else from the nearest list in its folder or above.
   * @param name relative to the root, with "/".
   * @throws UnusablePicture when it has none or its own is damaged; DataFormatError when a list is damaged.
   */
  async find(name: string): Promise<SampleJson> {
    const stem = join(this.#root, name.slice(0, name.length - extname(name).length));
    const json = await readSmall(`${stem}.json`);
    if (json !== undefined) {
      try {
        return describe(json, `${stem}.json`);
      } catch (error) {
        throw error instanceof DataFormatError ? new UnusablePicture(`its .json ${error.reason}`) : error;
      }
    }
    const text = await readSmall(`${stem}.txt`);
    if (text !== undefined) {
      const caption = new TextDecoder().decode(text).trim();
      if (caption === "") throw new UnusablePicture("its .txt is empty");
      return { caption };
    }
    for (let folder = dirname(name); ; folder = dirname(folder)) {
      const list = await this.#listOf(folder);
      const found = list?.get(folder === "." ? name : name.slice(folder.length + 1));
      if (found !== undefined) return found;
      if (folder === ".") break;
    }
    throw new UnusablePicture(`has no caption: no .txt, no .json, no line in ${LIST_NAMES.join(" or ")}`);
  }

  #listOf(folder: string): Promise<ReadonlyMap<string, SampleJson> | undefined> {
    let list = this.#lists.get(folder);
    if (list === undefined) {
      list = readList(join(this.#root, folder));
      this.#lists.set(folder, list);
    }
    return list;
  }
}

/** The bytes of a small file; undefined when there is none. */
async function readSmall(path: string): Promise<Uint8Array | undefined> {
  const kind = await lstat(path).catch(() => undefined);
  if (kind === undefined || !kind.isFile()) return undefined;
  if (kind.size > MAX_JSON_BYTES) {
    throw new UnusablePicture(`${basename(path)} is larger than ${MAX_JSON_BYTES} bytes`);
  }
  return readFile(path);
}

/** A description that is to be written again: known keys only, at least one caption. */
function describe(bytes: Uint8Array, where: string): SampleJson {
  const { caption, caption_all, metadata, text } = parseSampleJson(bytes, where);
  const captions = captionsOf({ caption, caption_all, metadata, text }, where);
  const best = captions.reduce((a, b) => (b.weight > a.weight ? b : a), { text: "", weight: 0 });
  const first = caption ?? best.text;
  if (first.trim() === "") throw new DataFormatError("has no caption", { where, remedy: 'add "caption"' });
  return {
    caption: first,
    ...(caption_all === undefined ? {} : { caption_all }),
    ...(metadata === undefined ? {} : { metadata }),
  };
}

async function readList(folder: string): Promise<ReadonlyMap<string, SampleJson> | undefined> {
  for (const listName of LIST_NAMES) {
    const path = join(folder, listName);
    const kind = await lstat(path).catch(() => undefined);
    if (kind === undefined || !kind.isFile()) continue;
    if (kind.size > MAX_LIST_BYTES) {
      throw new DataFormatError(`is larger than ${MAX_LIST_BYTES} bytes`, {
        where: path,
        remedy: "split the folder",
      });
    }
    return parseList(await readFile(path, "utf8"), path);
  }
  return undefined;
}

function parseList(text: string, path: string): Map<string, SampleJson> {
  const entries = new Map<string, SampleJson>();
  for (const [index, line] of text.split("\n").entries()) {
    if (line.trim() === "") continue;
    const where = `${path} line ${index + 1}`;
    const json = describe(new TextEncoder().encode(line), where);
    const parsed = listLineSchema.safeParse(JSON.parse(line));
    if (!parsed.success) {
      throw new DataFormatError("names no picture", { where, remedy: 'every line needs a "file_name"' });
    }
    if (entries.has(parsed.data.file_name)) {
      throw new DataFormatError(`${parsed.data.file_name} has a second line`, {
        where,
        remedy: "remove one",
      });
    }
    entries.set(parsed.data.file_name, json);
  }
  return entries;
}
