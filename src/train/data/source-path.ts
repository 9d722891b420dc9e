/** @file Where a picture lies that a file of somebody else names. */
import { isAbsolute, join, normalize, sep } from "node:path";
import { DataFormatError } from "../../errors.ts";
import { quoted } from "../../formats/quoted.ts";

/**
 * A picture below a folder.
 * @throws DataFormatError for a name that leads out of it: the files that name pictures come from elsewhere.
 */
export function sourcePath(folder: string, name: string, where: string): string {
  const path = normalize(name);
  if (!isAbsolute(path) && path !== ".." && !path.startsWith(`..${sep}`) && !path.includes("\0")) {
    return join(folder, path);
  }
  throw new DataFormatError(`names a picture outside of its folder: ${quoted(name)}`, { where });
}
