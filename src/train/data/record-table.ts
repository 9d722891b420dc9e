/** @file Tables of records: JSON lines, and CSV with a header line. */

import { CsvError, parse } from "csv-parse/sync";
import { DataFormatError } from "../../errors.ts";
import { printable, quoted } from "../../formats/quoted.ts";
import { decodeText } from "../../formats/text.ts";
import { MAX_JSON_BYTES } from "./sample-json.ts";
import { readSmallFile } from "./small-file.ts";

export interface TableRecord {
  /** Place for messages: the file and its line, counted from 1. */
  readonly where: string;
  readonly line: number;
  readonly record: Readonly<Record<string, unknown>>;
}

/** A table is in memory as a whole. */
const MAX_TABLE_BYTES = 256 * 1024 * 1024;

/** Whether a file is taken for a table, by its name. */
export function isTable(name: string): boolean {
  return /\.(?:jsonl|csv)$/i.test(name);
}

/**
 * Reads a table. Cells of a CSV are texts, or numbers where they are written as JavaScript writes them; empty ones
 * are left out, as a JSON line would leave out the key.
 * @param columns without which a CSV is refused; a list of alternatives for each.
 * @throws InputError when it cannot be opened; DataFormatError when it is no such table, naming the line.
 */
export async function readTable(
  path: string,
  columns: readonly (readonly string[])[],
): Promise<TableRecord[]> {
  return parseTable(await readSmallFile(path, MAX_TABLE_BYTES), path, columns);
}

/** {@link readTable} of bytes that were read; the name of `path` says which kind they are. */
export function parseTable(
  bytes: Uint8Array,
  path: string,
  columns: readonly (readonly string[])[],
): TableRecord[] {
  const text = decodeText(bytes, path);
  return path.toLowerCase().endsWith(".csv") ? readCsv(text, path, columns) : readJsonLines(text, path);
}

/** Columns whose cells are texts even where they look like numbers. */
const TEXT_COLUMNS: ReadonlySet<string> = new Set(
  "file_name caption caption_all text instruction source target".split(" "),
);

/** What the parser gives for a row when asked for its place. */
interface CsvRow {
  readonly record: Readonly<Record<string, string>>;
  /** `lines`: the line at which the row ends. */
  readonly info: { readonly lines: number };
}

function readJsonLines(text: string, path: string): TableRecord[] {
  const records: TableRecord[] = [];
  for (const [index, line] of text.split("\n").entries()) {
    if (line.trim() === "") continue;
    const where = `${path} line ${index + 1}`;
    const record = parseJson(line, where);
    if (typeof record !== "object" || record === null || Array.isArray(record)) {
      throw new DataFormatError("is no JSON object", { where, remedy: "write one object in each line" });
    }
    records.push({ where, line: index + 1, record: { ...record } });
  }
  return records;
}

function parseJson(line: string, where: string): unknown {
  try {
    return JSON.parse(line);
  } catch (cause) {
    throw new DataFormatError("is not JSON", { where, remedy: "write one object in each line", cause });
  }
}

function readCsv(text: string, path: string, columns: readonly (readonly string[])[]): TableRecord[] {
  try {
    const rows = parse<CsvRow>(text, {
      info: true,
      columns: (header: string[]) => checkHeader(header, path, columns),
      skip_empty_lines: true,
      max_record_size: MAX_JSON_BYTES,
    });
    return rows.map(({ record, info }) => ({
      where: `${path} line ${info.lines}`,
      line: info.lines,
      record: Object.fromEntries(
        Object.entries(record)
          .filter(([, cell]) => cell !== "")
          .map(([name, cell]) => [name, TEXT_COLUMNS.has(name) ? cell : toValue(cell)]),
      ),
    }));
  } catch (cause) {
    if (!(cause instanceof CsvError)) throw cause;
    throw new DataFormatError(`is not well-formed CSV: ${printable(cause.message)}`, {
      where: path,
      remedy:
        'separate columns by ",", put texts with commas or line breaks in quotes, and double quotes within',
      cause,
    });
  }
}

function checkHeader(
  header: readonly string[],
  path: string,
  columns: readonly (readonly string[])[],
): string[] {
  const names = header.map((name) => name.trim());
  const where = `${path} line 1`;
  const twice = names.find((name, index) => names.indexOf(name) < index);
  if (twice !== undefined) {
    throw new DataFormatError(`names the column ${quoted(twice)} twice`, {
      where,
      remedy: "rename one",
    });
  }
  const missing = columns.find((alternatives) => !alternatives.some((name) => names.includes(name)));
  if (missing !== undefined) {
    const found = names.map((name) => quoted(name.slice(0, 40))).join(", ");
    throw new DataFormatError(`has no column ${missing.map((name) => `"${name}"`).join(" or ")}`, {
      where,
      remedy: `the first line must name the columns, separated by ","; it names ${found}`,
    });
  }
  return names;
}

/** Numbers are kept as such, so that filters can compare them; "007" and "1e5" are texts. */
function toValue(cell: string): string | number {
  return cell.trim() !== "" && String(Number(cell)) === cell && Number.isFinite(Number(cell))
    ? Number(cell)
    : cell;
}
