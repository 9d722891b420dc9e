/** @file Paths as words of the commands that score. */
import { join } from "node:path";

/** In quotes, as a shell reads it back. */
export function word(...parts: readonly string[]): string {
  return `'${join(...parts).replaceAll("'", "'\\''")}'`;
}
