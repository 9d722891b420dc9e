/** @file Texts without pictures, as samples (docs/nextstep-spec.md 4.1, "nlp"). */

import { createHash } from "node:crypto";
import { extname, join } from "node:path";
import { decodeText } from "../../formats/text.ts";
import type { FolderFiles } from "./file-walk.ts";
import { onSource, UnusableSource } from "./passed-over.ts";
import { isTable, readTable } from "./record-table.ts";
import { MAX_JSON_BYTES, metadataOf } from "./sample-json.ts";
import { readSmallFile } from "./small-file.ts";
import { unusedFile } from "./source-picture.ts";
import type { FolderSources, PreparedSample, SourceSample } from "./source-sample.ts";

/**
 * Every `.txt` file and every line of `.jsonl` and `.csv` tables with a column `text`.
 * @throws DataFormatError for a damaged table.
 */
export async function textSources(folder: string, { files }: FolderFiles): Promise<FolderSources> {
  const samples: SourceSample[] = [];
  for (const name of files) {
    if (extname(name).toLowerCase() === ".txt") {
      samples.push({ name, read: () => readText(join(folder, name), name) });
    } else if (isTable(name)) {
      for (const { line, record } of await readTable(join(folder, name), [["text"]])) {
        const place = `${name} line ${line}`;
        samples.push({ name: place, read: async () => prepareText(record.text, record, place) });
      }
    }
  }
  const others = files.filter((name) => extname(name).toLowerCase() !== ".txt" && !isTable(name));
  return { samples, passedOver: others.map((name) => unusedFile(name, "no text file")) };
}

async function readText(path: string, name: string): Promise<PreparedSample> {
  const text = await onSource("text that cannot be read", async () =>
    decodeText(await readSmallFile(path, MAX_JSON_BYTES), path),
  );
  return prepareText(text.trim(), {}, name);
}

function prepareText(
  text: unknown,
  record: Readonly<Record<string, unknown>>,
  source: string,
): PreparedSample {
  if (typeof text !== "string" || text.trim() === "") throw new UnusableSource("empty text");
  const digest = createHash("sha256").update(text.trim().replace(/\s+/g, " ").toLowerCase()).digest("hex");
  const metadata = { ...metadataOf(record, ["text"]), source };
  return { json: { text, metadata }, images: [], contents: [digest] };
}
