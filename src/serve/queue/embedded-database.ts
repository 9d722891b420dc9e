/** @file PostgreSQL inside this process, in a folder that belongs to it alone. */
import { readFile, stat } from "node:fs/promises";
import { join } from "node:path";
import { PGlite, type Transaction } from "@electric-sql/pglite";
import { InputError, StorageError } from "../../errors.ts";
import { makeFolder } from "../../files/make-folder.ts";
import { ProcessLock } from "../../files/process-lock.ts";
import { hasCode, writeFailure } from "../../files/write-failure.ts";
import type { Database, Durability, Sql, Value } from "./database.ts";
import { databaseFailure } from "./database-failure.ts";
import { makeDatabase } from "./make-database.ts";
import { SyncedFolder } from "./synced-folder.ts";

/** Of the PostgreSQL that is inside PGlite. */
const MAJOR = "18";
/** Flushes are the folder's affair; the buffers of a queue are small. */
const START_PARAMS = [
  ...PGlite.defaultStartParams.filter((param) => param !== "-F"),
  ...["wal_sync_method=fsync", "shared_buffers=16MB", "wal_buffers=1MB"].flatMap((setting) => [
    "-c",
    setting,
  ]),
  ...["min_wal_size=32MB", "max_wal_size=64MB"].flatMap((setting) => ["-c", setting]),
];

export class EmbeddedDatabase implements Database {
  readonly isShared = false;
  readonly name: string;
  readonly #database: PGlite;
  readonly #files: SyncedFolder | undefined;
  readonly #lock: ProcessLock | undefined;

  private constructor(name: string, database: PGlite, files?: SyncedFolder, lock?: ProcessLock) {
    this.name = name;
    this.#database = database;
    this.#files = files;
    this.#lock = lock;
  }

  /**
   * Opens the database in `folder`/database, which is made if it is not there.
   * @throws InputError naming the process that has it open, or saying why it cannot be opened.
   */
  static async open(folder: string): Promise<EmbeddedDatabase> {
    const lock = await ProcessLock.acquire(
      folder,
      (pid) =>
        new InputError(`process ${pid} has this queue open`, {
          where: folder,
          remedy: "stop it, name another store, or let several processes share a PostgreSQL by DATABASE_URL",
        }),
    );
    try {
      const place = join(folder, "database");
      await prepare(folder, place);
      const files = new SyncedFolder(place);
      const database = await openFiles(place, files);
      return new EmbeddedDatabase(place, database, files, lock);
    } catch (error) {
      await lock[Symbol.asyncDispose]();
      throw error;
    }
  }

  /** A database that is gone with the process: for tests. */
  static async inMemory(): Promise<EmbeddedDatabase> {
    return new EmbeddedDatabase("memory", await PGlite.create({ startParams: START_PARAMS }));
  }

  async query<Row extends object>(text: string, values: readonly Value[] = []): Promise<readonly Row[]> {
    return this.#run(() => queryOn(this.#database, text, values));
  }

  async script(text: string): Promise<void> {
    await this.#run(() => this.#database.exec(text));
  }

  async transaction<T>(durability: Durability, work: (sql: Sql) => Promise<T>): Promise<T> {
    return this.#run(() =>
      this.#database.transaction(async (transaction) => {
        const result = await work({
          query: (text, values = []) => queryOn(transaction, text, values),
          script: async (text) => void (await transaction.exec(text)),
        });
        // Other transactions wait for this one, so that the commit alone is written under it.
        if (this.#files !== undefined) this.#files.owing = durability === "power" ? "nothing" : "log";
        return result;
      }),
    );
  }

  listen(): AsyncDisposable {
    return { async [Symbol.asyncDispose]() {} };
  }

  /** A single process has neither an autovacuum nor a checkpointer: dead rows and the log would only grow. */
  async tidy(): Promise<void> {
    // A script is one transaction, and these are none.
    await this.script("VACUUM");
    await this.script("CHECKPOINT");
  }

  async [Symbol.asyncDispose](): Promise<void> {
    try {
      if (!this.#database.closed) await this.#database.close();
    } finally {
      await this.#lock?.[Symbol.asyncDispose]();
    }
  }

  async #run<T>(work: () => Promise<T>): Promise<T> {
    try {
      return await work();
    } catch (error) {
      throw databaseFailure(error, this.name);
    }
  }
}

async function queryOn<Row extends object>(
  on: PGlite | Transaction,
  text: string,
  values: readonly Value[],
): Promise<readonly Row[]> {
  return (await on.query<Row>(text, [...values])).rows;
}

/** Makes the files where there are none. @throws InputError for files that this program cannot open. */
async function prepare(folder: string, place: string): Promise<void> {
  try {
    await makeFolder(folder);
    if ((await stat(place).catch(ignoreMissing)) === undefined) await makeDatabase(place);
  } catch (error) {
    throw writeFailure(error, place);
  }
  const version = await readFile(join(place, "PG_VERSION"), "utf8").catch(() => undefined);
  if (version === undefined) throw damaged(place);
  if (version.trim() === MAJOR) return;
  throw new InputError(`was written by PostgreSQL ${version.trim()}, and this program has ${MAJOR}`, {
    where: place,
    remedy: "use the version of nextstep that wrote it, or name another store",
  });
}

async function openFiles(place: string, files: SyncedFolder): Promise<PGlite> {
  try {
    const database = await PGlite.create({ fs: files, startParams: START_PARAMS });
    await files.settle();
    files.owing = "nothing";
    return database;
  } catch (cause) {
    throw damaged(place, cause);
  }
}

function damaged(place: string, cause?: unknown): StorageError {
  return new StorageError("the files of the queue are damaged", {
    where: place,
    remedy:
      "take them from a backup, or move them away: the pictures stay, their list and the queue begin anew",
    cause,
  });
}

function ignoreMissing(error: unknown): undefined {
  if (!hasCode(error, "ENOENT")) throw error;
}
