/**
 * @file The folder of an embedded database, with every flush that PostgreSQL asks for really made. PGlite's own way to a
 * folder leaves them out: a power cut could take what was promised, or leave a database that does not open.
 */
import { closeSync, fsyncSync, openSync } from "node:fs";
import { open } from "node:fs/promises";
import { join, relative } from "node:path";
import type { PGlite } from "@electric-sql/pglite";
import { NodeFS } from "@electric-sql/pglite/nodefs";
import { hasCode } from "../../files/write-failure.ts";

/** Where the folder stands inside the database's own file system. */
const ROOT = "/pglite/data";
const LOG = "/pg_wal/";
/** Flushes that are under way at once when many are owed. */
const AT_ONCE = 8;

/** A file that is open inside the database: its number on this side, and its path on that one. */
interface OpenFile {
  readonly nfd: number;
  readonly path: string;
}

/** The parts of the database's file system that this one builds on. */
interface Module {
  readonly NODEFS: {
    readonly stream_ops: { fsync?: (file: OpenFile) => void };
    convertNodeCode(error: unknown): number;
  };
  readonly FS: { readonly ErrnoError: new (code: number) => Error };
}

/** Flushes may be owed: noted in place of being made, and made with the first that is not. */
type Owing = "nothing" | "log" | "everything";

export class SyncedFolder extends NodeFS {
  /** While it is opened, thousands of files are flushed if it was not closed in order; see {@link settle}. */
  owing: Owing = "everything";
  /** Paths on the disk. */
  readonly #owed = new Set<string>();

  override async init(pg: PGlite, options: Parameters<NodeFS["init"]>[1]): ReturnType<NodeFS["init"]> {
    const { emscriptenOpts } = await super.init(pg, options);
    const preRun: ((module: never) => void)[] = [emscriptenOpts.preRun ?? []].flat();
    preRun.push((module: Module) => {
      module.NODEFS.stream_ops.fsync = (file) => this.#flush(module, file);
    });
    return {
      emscriptenOpts: { ...emscriptenOpts, preRun: preRun as NonNullable<typeof emscriptenOpts.preRun> },
    };
  }

  /** Makes the flushes that are owed, side by side and beside all else. */
  async settle(): Promise<void> {
    const paths = [...this.#owed];
    const flushRest = async (): Promise<void> => {
      for (let path = paths.pop(); path !== undefined; path = paths.pop()) {
        const handle = await open(path).catch(ignoreMissing);
        try {
          await handle?.sync();
        } finally {
          await handle?.close();
        }
        this.#owed.delete(path);
      }
    };
    await Promise.all(Array.from({ length: AT_ONCE }, flushRest));
  }

  #flush({ FS, NODEFS }: Module, { nfd, path }: OpenFile): void {
    if (this.owing === "everything" || (this.owing === "log" && path.includes(LOG))) {
      this.#owed.add(join(this.rootDir, relative(ROOT, path)));
      return;
    }
    try {
      for (const owed of this.#owed) flushByName(owed);
      this.#owed.clear();
      fsyncSync(nfd);
    } catch (error) {
      throw new FS.ErrnoError(NODEFS.convertNodeCode(error));
    }
  }
}

function flushByName(path: string): void {
  let file: number;
  try {
    file = openSync(path, "r");
  } catch (error) {
    ignoreMissing(error);
    return;
  }
  try {
    fsyncSync(file);
  } finally {
    closeSync(file);
  }
}

/** A file that was removed since needs no flush. */
function ignoreMissing(error: unknown): undefined {
  if (!hasCode(error, "ENOENT")) throw error;
}
