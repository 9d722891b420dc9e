/** @file Tables as data sets are published on Hugging Face (Parquet), read a row group at a time. */
import { asyncBufferFromFile, type FileMetaData, parquetMetadataAsync, parquetReadObjects } from "hyparquet";
import { DataFormatError } from "../../errors.ts";
import { FileSource } from "../../files/file-source.ts";
import { isJsonObject, type JsonObject } from "../../formats/json-file.ts";

/** Pictures of a group are held at once; published tables have a hundred rows in one. */
const MAX_GROUP_BYTES = 2 ** 31;

/** Whether a file's name says that it is such a table. */
export function isParquet(path: string): boolean {
  return path.endsWith(".parquet");
}

export class ParquetTable {
  readonly path: string;
  readonly rows: number;
  readonly #metadata: FileMetaData;
  /** The pictures of the group that was read last: rows are asked for in their order. */
  #group: { readonly key: string; readonly values: Promise<readonly JsonObject[]> } | undefined;

  private constructor(path: string, metadata: FileMetaData) {
    this.path = path;
    this.#metadata = metadata;
    this.rows = Number(metadata.num_rows);
  }

  /** @throws InputError for a file that cannot be opened, DataFormatError for one that is no such table. */
  static async open(path: string): Promise<ParquetTable> {
    await (await FileSource.open(path)).close();
    return new ParquetTable(
      path,
      await explained(path, async () => parquetMetadataAsync(await asyncBufferFromFile(path))),
    );
  }

  /** Columns without pictures, all rows. */
  records(columns: readonly string[]): Promise<readonly JsonObject[]> {
    return this.#read(columns, 0, this.rows);
  }

  /**
   * The bytes of the picture in a cell, as the library `datasets` stores it: `{ bytes, path }`.
   * @throws DataFormatError for a cell that holds none.
   */
  async picture(column: string, row: number): Promise<Uint8Array> {
    const [first, end] = this.#groupOf(row);
    const key = `${column} ${first}`;
    if (this.#group?.key !== key) this.#group = { key, values: this.#read([column], first, end) };
    const cell = (await this.#group.values)[row - first]?.[column];
    if (isJsonObject(cell) && cell.bytes instanceof Uint8Array) return cell.bytes;
    throw new DataFormatError(`holds no picture in "${column}"`, { where: `${this.path}: row ${row + 1}` });
  }

  #groupOf(row: number): readonly [first: number, end: number] {
    let first = 0;
    for (const { num_rows, total_byte_size } of this.#metadata.row_groups) {
      const end = first + Number(num_rows);
      if (row < end) {
        if (total_byte_size <= MAX_GROUP_BYTES) return [first, end];
        throw new DataFormatError(`has ${total_byte_size} bytes in a group of rows`, {
          where: this.path,
          remedy: `write it with groups of up to ${MAX_GROUP_BYTES} bytes`,
        });
      }
      first = end;
    }
    throw new DataFormatError(`has ${first} rows, fewer than it says`, { where: this.path });
  }

  #read(columns: readonly string[], rowStart: number, rowEnd: number): Promise<readonly JsonObject[]> {
    return explained(this.path, async () => {
      const file = await asyncBufferFromFile(this.path);
      const wanted = { file, metadata: this.#metadata, columns: [...columns], rowStart, rowEnd };
      // Bytes without a type of their own are bytes, not text.
      return parquetReadObjects({ ...wanted, utf8: false });
    });
  }
}

/** The reader's own errors say what was wrong with the bytes, not with which file. */
async function explained<Value>(path: string, read: () => Promise<Value>): Promise<Value> {
  try {
    return await read();
  } catch (cause) {
    throw new DataFormatError(
      `is no Parquet table that can be read: ${cause instanceof Error ? cause.message : String(cause)}`,
      { where: path, remedy: "give the published file as it was fetched", cause },
    );
  }
}
