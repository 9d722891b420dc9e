/** @file Inspects what lies on the disk. */
import { stat } from "node:fs/promises";
import { basename, dirname } from "node:path";
import { inspect } from "../checkpoint/inspect.ts";
import type { Inspection } from "../checkpoint/inspection.ts";
import { LocalFolder } from "../files/local-folder.ts";
import { nodeZlib } from "../files/zlib.ts";

/** A file or folder by its path; see {@link inspect}. */
export async function inspectPath(path: string): Promise<Inspection> {
  const found = await stat(path).catch(() => undefined);
  return found?.isDirectory()
    ? inspect({ kind: "folder", folder: new LocalFolder(path) }, nodeZlib)
    : inspect({ kind: "file", beside: new LocalFolder(dirname(path)), member: basename(path) }, nodeZlib);
}
