/** @file Pairs of pictures with the instruction that leads from one to the other (docs/nextstep-spec.md 4.1, 5). */

import { extname, join } from "node:path";
import { decodeText } from "../../formats/text.ts";
import { FileNames, sameName, stemOf } from "./file-names.ts";
import type { FolderFiles } from "./file-walk.ts";
import { IMAGE_TAG_PATTERN, imageTag } from "./image-tags.ts";
import { onSource, type PassedOver, UnusableSource } from "./passed-over.ts";
import { readTable } from "./record-table.ts";
import { MAX_JSON_BYTES, metadataOf } from "./sample-json.ts";
import { readSmallFile } from "./small-file.ts";
import { isPicture, readPicture, unusedFile } from "./source-picture.ts";
import type { FolderSources, PreparedSample, SourceSample } from "./source-sample.ts";

const TABLE_NAMES = ["edits.jsonl", "edits.csv"];
const TABLE_COLUMNS = [["instruction"], ["source"], ["target"]];
/** Folders of files of the same names, where there is no table. */
const FOLDERS = { source: "source/", target: "target/", instruction: "instruction/" };

/**
 * The pairs that a table at the top of the folder lists, or else those of equal name in `source/`, `target/` and
 * `instruction/`.
 * @throws DataFormatError for a damaged table.
 */
export async function editSources(folder: string, { files }: FolderFiles): Promise<FolderSources> {
  const [table, ...otherTables] = TABLE_NAMES.filter((name) => files.includes(name));
  const { samples, used } =
    table === undefined ? pairsOfFolders(folder, files) : await pairsOfTable(folder, files, table);
  const rest = files.filter((name) => name !== table && !used.has(name) && !otherTables.includes(name));
  const reason = table === undefined ? "no part of a pair" : `not in ${table}`;
  const left: PassedOver[] = [
    ...otherTables.map((name) => ({ name, reason: "table beside another one" })),
    ...rest.map((name) => unusedFile(name, reason)),
  ];
  return { samples, passedOver: left };
}

interface Pairs {
  readonly samples: readonly SourceSample[];
  /** Files that have a part in them. */
  readonly used: ReadonlySet<string>;
}

async function pairsOfTable(folder: string, files: readonly string[], table: string): Promise<Pairs> {
  const known = new FileNames(files);
  const used = new Set<string>();
  const samples: SourceSample[] = [];
  for (const { line, record } of await readTable(join(folder, table), TABLE_COLUMNS)) {
    const { instruction, source, target } = record;
    const metadata = metadataOf(record, ["instruction", "source", "target"]);
    const pictureOf = (value: unknown): string | undefined =>
      typeof value === "string" ? known.find(value) : undefined;
    const places = { source: pictureOf(source), target: pictureOf(target) };
    for (const name of [places.source, places.target]) if (name !== undefined) used.add(name);
    samples.push({
      name: `${table} line ${line}`,
      async read() {
        for (const [column, place] of Object.entries(places)) {
          if (place === undefined) {
            throw new UnusableSource(
              "line for a picture that is not there",
              `"${column}" ${nameText(record[column])}`,
            );
          }
        }
        const text = typeof instruction === "string" ? instruction : "";
        return readPair(folder, { source: places.source!, target: places.target! }, text, metadata);
      },
    });
  }
  return { samples, used };
}

function nameText(value: unknown): string {
  return typeof value === "string" ? value : "is missing";
}

function pairsOfFolders(folder: string, files: readonly string[]): Pairs {
  const partsOf = (part: keyof typeof FOLDERS, isPart: (name: string) => boolean): Map<string, string> =>
    new Map(
      files
        .filter((name) => name.startsWith(FOLDERS[part]) && isPart(name))
        .map((name) => [sameName(stemOf(name.slice(FOLDERS[part].length))), name]),
    );
  const sources = partsOf("source", isPicture);
  const targets = partsOf("target", isPicture);
  const instructions = partsOf("instruction", (name) => extname(name).toLowerCase() === ".txt");
  const used = new Set<string>();
  const samples = [...targets].map(([stem, target]): SourceSample => {
    const source = sources.get(stem);
    const instruction = instructions.get(stem);
    for (const name of [source, target, instruction]) if (name !== undefined) used.add(name);
    return {
      name: target,
      async read() {
        if (source === undefined) throw new UnusableSource("no source picture of this name");
        if (instruction === undefined) throw new UnusableSource("no instruction of this name");
        const text = await onSource("instruction that cannot be read", async () =>
          decodeText(await readSmallFile(join(folder, instruction), MAX_JSON_BYTES), instruction),
        );
        return readPair(folder, { source, target }, text, {});
      },
    };
  });
  return { samples, used };
}

async function readPair(
  folder: string,
  { source, target }: { readonly source: string; readonly target: string },
  instruction: string,
  metadata: Readonly<Record<string, unknown>>,
): Promise<PreparedSample> {
  const text = instruction.trim();
  if (text === "") throw new UnusableSource("empty instruction");
  if (text.search(IMAGE_TAG_PATTERN) >= 0) throw new UnusableSource("instruction with image tags");
  const before = await readPicture(join(folder, source));
  const after = await readPicture(join(folder, target));
  return {
    json: {
      caption: `${imageTag(0)}${text}${imageTag(1)}`,
      metadata: { ...metadata, source, target },
    },
    images: [before.image, after.image],
    contents: [before.digest, after.digest],
  };
}
