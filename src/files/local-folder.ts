/** @file A folder on the disk. */

import { stat } from "node:fs/promises";
import { basename, join, resolve } from "node:path";
import type { FileFolder } from "../formats/file-folder.ts";
import { FileSource } from "./file-source.ts";

export class LocalFolder implements FileFolder {
  readonly name: string;
  readonly path: string;

  /**
   * The folder need not exist: its members do not, then.
   * @param name if the folder's own says nothing to people.
   */
  constructor(path: string, name = basename(resolve(path))) {
    this.path = path;
    this.name = name;
  }

  pathOf(member: string): string {
    return join(this.path, member);
  }

  async has(member: string): Promise<boolean> {
    return (await stat(this.pathOf(member)).catch(() => undefined))?.isFile() ?? false;
  }

  open(member: string): Promise<FileSource> {
    return FileSource.open(this.pathOf(member));
  }

  folder(member: string): LocalFolder {
    return new LocalFolder(this.pathOf(member));
  }
}
