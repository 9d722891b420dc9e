/** @file Captions of pictures in a folder: files beside the pictures, or one list for many of them. */

import { extname, join } from "node:path";
import { DataFormatError } from "../../errors.ts";
import { decodeText } from "../../formats/text.ts";
import { FileNames, folderOf, sameName, stemOf } from "./file-names.ts";
import { onSource, type PassedOver, UnusableSource } from "./passed-over.ts";
import { readTable, type TableRecord } from "./record-table.ts";
import { captionsOf, checkSample, MAX_JSON_BYTES, metadataOf, parseSampleJson } from "./sample-json.ts";
import type { CaptionedJson } from "./sample-writer.ts";
import { readSmallFile } from "./small-file.ts";

/** Lists of captions for a whole folder, in the order of preference. */
const LIST_NAMES = ["captions.jsonl", "metadata.jsonl", "captions.csv", "metadata.csv"];
const LIST_COLUMNS = [["file_name"], ["caption", "text", "caption_all"]];

/** Lines of a list by the picture that they name, relative to its folder. */
type CaptionList = ReadonlyMap<string, TableRecord>;

/** Finds the captions of the pictures below a folder. */
export class CaptionFiles {
  readonly #root: string;
  readonly #files: FileNames;
  /** By folder, "" for the root. */
  readonly #lists: ReadonlyMap<string, CaptionList>;
  /** Caption files that no picture needs. */
  readonly passedOver: readonly PassedOver[];

  private constructor(
    root: string,
    files: FileNames,
    lists: ReadonlyMap<string, CaptionList>,
    passedOver: readonly PassedOver[],
  ) {
    this.#root = root;
    this.#files = files;
    this.#lists = lists;
    this.passedOver = passedOver;
  }

  /**
   * Reads the lists.
   * @param names of all files below `root`; `pictures` are those of them that want captions.
   * @throws DataFormatError for a damaged list, naming the line.
   */
  static async open(
    root: string,
    names: readonly string[],
    pictures: readonly string[],
  ): Promise<CaptionFiles> {
    const known = new FileNames(pictures);
    const stems = new Set(pictures.map((name) => sameName(stemOf(name))));
    const lists = new Map<string, CaptionList>();
    const left: PassedOver[] = [];
    const byPreference = LIST_NAMES.flatMap((list) =>
      names.filter((name) => name === list || name.endsWith(`/${list}`)),
    );
    for (const name of byPreference) {
      const folder = folderOf(name);
      if (lists.has(folder)) {
        left.push({ name, reason: "list beside another one" });
        continue;
      }
      const list = await readList(join(root, name));
      lists.set(folder, list);
      for (const [picture, { line }] of list) {
        if (known.find(within(folder, picture)) === undefined) {
          left.push({
            name: `${name} line ${line}`,
            reason: "line for a picture that is not there",
            detail: picture,
          });
        }
      }
    }
    for (const name of names) {
      const isOwn = [".txt", ".json"].includes(extname(name).toLowerCase());
      if (isOwn && !stems.has(sameName(stemOf(name))))
        left.push({ name, reason: "caption without a picture" });
    }
    return new CaptionFiles(root, new FileNames(names), lists, left);
  }

  /** Whether a file may hold captions, by its name. */
  static isCaptionFile(name: string): boolean {
    const base = name.slice(folderOf(name).length).replace("/", "");
    return LIST_NAMES.includes(base) || [".txt", ".json"].includes(extname(name).toLowerCase());
  }

  /**
   * The description of a picture: from its own `.json` or `.txt`, else from the nearest list in its folder or above.
   * A `.json` without captions is metadata of the `.txt`.
   * @param name relative to the root, with "/".
   * @throws UnusableSource when it has none or its own is damaged.
   */
  async find(name: string): Promise<CaptionedJson> {
    const own = await onSource("caption that cannot be read", () => this.#readOwn(name));
    if (own !== undefined) return own;
    for (let folder = folderOf(name); ; folder = folderOf(folder)) {
      const picture = sameName(folder === "" ? name : name.slice(folder.length + 1));
      const found = this.#lists.get(folder)?.get(picture);
      if (found !== undefined) {
        return onSource("caption that cannot be read", async () => describe(found.record, found.where));
      }
      if (folder === "") break;
    }
    throw new UnusableSource("no caption");
  }

  async #readOwn(name: string): Promise<CaptionedJson | undefined> {
    const stem = stemOf(name);
    const [json, txt] = ["json", "txt"].map((extension) => this.#files.find(`${stem}.${extension}`));
    const read = (file: string): Promise<Uint8Array> => readSmallFile(join(this.#root, file), MAX_JSON_BYTES);
    const described = json === undefined ? {} : parseSampleJson(await read(json), json);
    if (json !== undefined && (txt === undefined || captionsOf(described, json).length > 0)) {
      return describe(described, json);
    }
    if (txt === undefined) return undefined;
    return describe({ ...described, caption: decodeText(await read(txt), txt).trim() }, txt);
  }
}

function within(folder: string, name: string): string {
  return folder === "" ? name : `${folder}/${name}`;
}

/**
 * A description that is to be written again, with at least one caption. Keys of its own become metadata.
 * @throws UnusableSource when it has no caption; DataFormatError when it is no description.
 */
function describe(record: Readonly<Record<string, unknown>>, where: string): CaptionedJson {
  const description = checkSample(record, where);
  const { caption, caption_all, metadata, text } = description;
  const captions = captionsOf({ caption, caption_all, metadata, text }, where);
  const best = captions.reduce((a, b) => (b.weight > a.weight ? b : a), { text: "", weight: 0 });
  if (best.text === "") throw new UnusableSource("empty caption");
  const all = {
    ...metadataOf(description, ["file_name", "caption", "caption_all", "text"]),
    // Weights of the texts of `caption_all`, which are written as they are.
    ...(metadata?.caption_weights === undefined ? {} : { caption_weights: metadata.caption_weights }),
  };
  return {
    caption: caption !== undefined && caption.trim() !== "" ? caption : best.text,
    ...(caption_all === undefined ? {} : { caption_all }),
    ...(Object.keys(all).length === 0 ? {} : { metadata: all }),
  };
}

async function readList(path: string): Promise<CaptionList> {
  const entries = new Map<string, TableRecord>();
  for (const entry of await readTable(path, LIST_COLUMNS)) {
    const { where, record } = entry;
    const picture = record.file_name;
    if (typeof picture !== "string" || picture === "") {
      throw new DataFormatError("names no picture", { where, remedy: 'every line needs a "file_name"' });
    }
    if (entries.has(sameName(picture))) {
      throw new DataFormatError(`${picture} has a second line`, { where, remedy: "remove one" });
    }
    entries.set(sameName(picture), entry);
  }
  return entries;
}
