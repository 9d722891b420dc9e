/** @file A PostgreSQL server that any number of processes share. */
import { once } from "node:events";
import { setTimeout as wait } from "node:timers/promises";
import pg from "pg";
import { ConfigError } from "../../errors.ts";
import type { Database, Durability, Sql, Value } from "./database.ts";
import { databaseFailure, isConflict } from "./database-failure.ts";

const CONNECTIONS = 8;
const CONNECT_MS = 10_000;
/** No statement of the queue takes long; a server that is stopped in the middle of one must not hold up the others. */
const LIMITS = {
  statement_timeout: 30_000,
  lock_timeout: 15_000,
  idle_in_transaction_session_timeout: 10_000,
} as const;
const CONFLICT_TRIES = 5;
const LISTEN_AGAIN_MS = 1000;

export class SharedDatabase implements Database {
  readonly isShared = true;
  readonly name: string;
  readonly #pool: pg.Pool;
  readonly #options: pg.ClientConfig;

  private constructor(name: string, options: pg.ClientConfig) {
    this.name = name;
    this.#options = options;
    this.#pool = new pg.Pool({ ...options, max: CONNECTIONS });
    // A connection that breaks while nobody uses it is replaced by the next one who does.
    this.#pool.on("error", () => {});
  }

  /** @throws ConfigError for what is no address of a database; StorageError where nobody answers. */
  static async open(url: string): Promise<SharedDatabase> {
    const database = new SharedDatabase(nameOf(url), {
      connectionString: url,
      application_name: "nextstep",
      connectionTimeoutMillis: CONNECT_MS,
      keepAlive: true,
      ...LIMITS,
    });
    try {
      await database.query("SELECT 1");
      return database;
    } catch (error) {
      await database[Symbol.asyncDispose]();
      throw error;
    }
  }

  async query<Row extends object>(text: string, values: readonly Value[] = []): Promise<readonly Row[]> {
    return this.#run(() => queryOn<Row>(this.#pool, text, values));
  }

  async script(text: string): Promise<void> {
    await this.#run(async () => {
      const client = await this.#pool.connect();
      try {
        await client.query(text);
        client.release();
      } catch (error) {
        // It may have begun a transaction that nobody ends.
        client.release(true);
        throw error;
      }
    });
  }

  async transaction<T>(durability: Durability, work: (sql: Sql) => Promise<T>): Promise<T> {
    for (let tries = 1; ; tries++) {
      try {
        return await this.#transactionOnce(durability, work);
      } catch (error) {
        if (tries === CONFLICT_TRIES || !isConflict(error)) throw databaseFailure(error, this.name);
      }
    }
  }

  listen(channel: string, onNotice: (payload: string | undefined) => void): AsyncDisposable {
    return new Listening(this.#options, channel, onNotice);
  }

  /** The server has an autovacuum and a checkpointer of its own. */
  async tidy(): Promise<void> {}

  async [Symbol.asyncDispose](): Promise<void> {
    if (!this.#pool.ending) await this.#pool.end();
  }

  async #transactionOnce<T>(durability: Durability, work: (sql: Sql) => Promise<T>): Promise<T> {
    const client = await this.#pool.connect();
    let broken: Error | undefined;
    const onError = (error: Error): void => {
      broken = error;
    };
    client.on("error", onError);
    try {
      await client.query(durability === "power" ? "BEGIN" : "BEGIN; SET LOCAL synchronous_commit = off");
      const result = await work({
        query: (text, values = []) => queryOn(client, text, values),
        script: async (text) => void (await client.query(text)),
      });
      await client.query("COMMIT");
      return result;
    } catch (error) {
      await client.query("ROLLBACK").catch((failure: Error) => {
        broken ??= failure;
      });
      throw error;
    } finally {
      client.off("error", onError);
      client.release(broken);
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

/** Notices, over a connection of its own that is made again when it breaks. */
class Listening implements AsyncDisposable {
  readonly #closing = new AbortController();
  readonly #work: Promise<void>;

  constructor(options: pg.ClientConfig, channel: string, onNotice: (payload: string | undefined) => void) {
    this.#work = this.#listen({ ...options, statement_timeout: 0 }, channel, onNotice);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#closing.abort();
    await this.#work;
  }

  async #listen(
    options: pg.ClientConfig,
    channel: string,
    onNotice: (payload: string | undefined) => void,
  ): Promise<void> {
    const { signal } = this.#closing;
    while (!signal.aborted) {
      const client = new pg.Client(options);
      const ended = new AbortController();
      const end = (): void => ended.abort();
      client.once("end", end);
      client.on("error", end);
      signal.addEventListener("abort", end);
      client.on("notification", ({ payload }) => onNotice(payload));
      try {
        await client.connect();
        await client.query(`LISTEN ${pg.escapeIdentifier(channel)}`);
        onNotice(undefined);
        if (!ended.signal.aborted) await once(ended.signal, "abort");
      } catch {
        // Whoever listens looks from time to time anyway.
      }
      signal.removeEventListener("abort", end);
      await client.end().catch(() => {});
      await wait(LISTEN_AGAIN_MS, undefined, { signal }).catch(() => {});
    }
  }
}

async function queryOn<Row extends object>(
  on: Pick<pg.Pool, "query">,
  text: string,
  values: readonly Value[],
): Promise<readonly Row[]> {
  return (await on.query<Row & pg.QueryResultRow>(text, [...values])).rows;
}

/** Host and database; user and password are nobody's affair. */
function nameOf(url: string): string {
  const refuse = (): ConfigError =>
    new ConfigError("is not the address of a PostgreSQL", {
      where: "DATABASE_URL",
      remedy: "write it as postgres://USER:PASSWORD@HOST:5432/DATABASE",
    });
  if (!URL.canParse(url)) throw refuse();
  const { protocol, host, pathname } = new URL(url);
  if (protocol !== "postgres:" && protocol !== "postgresql:") throw refuse();
  return `postgres://${host}${pathname}`;
}
