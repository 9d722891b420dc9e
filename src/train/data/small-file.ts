/** @file Files that are read whole, within a bound. */

import { DataFormatError } from "../../errors.ts";
import { FileSource } from "../../files/file-source.ts";

/**
 * The bytes of a file.
 * @throws InputError when it cannot be opened; DataFormatError when it is larger than `maxBytes`.
 */
export async function readSmallFile(path: string, maxBytes: number): Promise<Uint8Array> {
  const source = await FileSource.open(path);
  try {
    if (source.byteLength > maxBytes) {
      throw new DataFormatError(`has ${source.byteLength} bytes`, {
        where: path,
        remedy: `at most ${maxBytes} are read`,
      });
    }
    return await source.read(0, source.byteLength);
  } finally {
    await source.close();
  }
}
