/** @file What everything that changes the queue has in common: the database, the order of jobs, and telling about it. */
import { InputError } from "../../errors.ts";
import type { BlobStore } from "../contract/blob-store.ts";
import type { Database, Durability, Sql } from "./database.ts";
import { Dispatcher } from "./dispatcher.ts";
import { News } from "./news.ts";
import { exclusively, migrate, QUEUE_LOCK, SCHEMA } from "./schema.ts";

/** Channel over which servers on one database tell each other of changes. */
const CHANNEL = SCHEMA;
const UUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;

/** A transaction in which jobs change their state. */
export interface Change extends Sql {
  readonly dispatcher: Dispatcher;
  /** Those who watch the job, and the queue, are told when the change is made. */
  tell(job: string): void;
}

export class QueueCore implements AsyncDisposable {
  readonly database: Database;
  readonly dispatcher: Dispatcher;
  readonly blobs: BlobStore;
  readonly news = new News();
  readonly #listening: AsyncDisposable;

  private constructor(database: Database, dispatcher: Dispatcher, blobs: BlobStore) {
    this.database = database;
    this.dispatcher = dispatcher;
    this.blobs = blobs;
    this.#listening = database.listen(CHANNEL, (job) =>
      this.news.tell(job === undefined ? { kind: "missed" } : { kind: "queue", job }),
    );
  }

  /** Brings the tables to their newest form. */
  static async start(database: Database, blobs: BlobStore): Promise<QueueCore> {
    const dispatcher = await exclusively(database, async () => {
      await migrate(database);
      return Dispatcher.start(database);
    });
    return new QueueCore(database, dispatcher, blobs);
  }

  /** Closes the database too. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.#listening[Symbol.asyncDispose]();
    await this.database[Symbol.asyncDispose]();
  }

  /**
   * Changes states of jobs, one change at a time among all processes: which job is next, how many wait and whose a job is
   * can then be read and changed without anything in between. A change takes some milliseconds, a picture seconds.
   */
  async change<T>(work: (change: Change) => Promise<T>, durability: Durability = "power"): Promise<T> {
    const { database, dispatcher } = this;
    const told = new Set<string>();
    const result = await database.transaction(durability, async (sql) => {
      told.clear();
      if (database.isShared) await sql.query("SELECT pg_advisory_xact_lock($1::bigint)", [QUEUE_LOCK]);
      const done = await work({ ...sql, dispatcher, tell: (job) => void told.add(job) });
      if (database.isShared) {
        for (const job of told) await sql.query("SELECT pg_notify($1, $2)", [CHANNEL, job]);
      }
      return done;
    });
    for (const job of told) this.news.tell({ kind: "queue", job });
    return result;
  }
}

/** Whether a text that came from outside can be an identifier of a job or a picture. */
export function isId(text: string): boolean {
  return UUID.test(text);
}

/** @throws InputError for text that no database keeps. */
export function refuseZero(text: string, where: string): string {
  if (!text.includes("\0")) return text;
  throw new InputError("holds a zero character", { where, remedy: "leave it out" });
}
