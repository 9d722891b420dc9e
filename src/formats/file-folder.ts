/** @file A folder of files as readers see it, wherever it lies: on a disk, in a browser's storage, in memory. */

import type { ByteSource } from "./byte-source.ts";

/** Members are named relative to the folder, with forward slashes: `vae/config.json`. */
export interface FileFolder {
  /** Its own name, without what leads to it. */
  readonly name: string;
  /** For messages: what leads to it, as the caller gave it. */
  readonly path: string;
  /** For messages: {@link path} continued to a member. */
  pathOf(member: string): string;
  /** Whether there is a regular file of that name. */
  has(member: string): Promise<boolean>;
  /** Throws InputError if there is no such readable regular file. */
  open(member: string): Promise<ByteSource>;
  /** Names of the members, where the place can list them; none for a folder that is not there. */
  names?(): Promise<string[]>;
  /** A folder inside this one; it need not exist. */
  folder(member: string): FileFolder;
}

/**
 * A relative path with `.` and `..` resolved, or undefined if it is absolute or leads out of the folder it starts in.
 * Backslashes separate too, as on Windows. The folder itself is "".
 */
export function pathInside(path: string): string | undefined {
  if (/^(?:[/\\]|[A-Za-z]:)/.test(path)) return undefined;
  const inside: string[] = [];
  for (const part of path.split(/[/\\]/)) {
    if (part === "..") {
      if (inside.pop() === undefined) return undefined;
    } else if (part !== "" && part !== ".") inside.push(part);
  }
  return inside.join("/");
}
