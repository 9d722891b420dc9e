/** @file Which job is next: pg-boss, one queue a model, beside tables of ours that say what a job is. */
import PgBoss from "pg-boss";
import type { Database, Sql, Value } from "./database.ts";
import { BOSS_SCHEMA, exclusively, refuseNewer } from "./schema.ts";

/** Of the schema that this version of pg-boss writes (its version.json). */
export const BOSS_VERSION = 24;
/** How often a job may be begun is counted by ours, who know whether it came any further. */
const RETRIES = 1_000_000;

/**
 * Jobs are removed from pg-boss when they end, in the transaction that ends them: what is left to its maintenance is
 * nothing, and none is run.
 */
export class Dispatcher {
  readonly #database: Database;
  readonly #boss: PgBoss;
  /** Queues that are there, or are being made: by one at a time, since that takes several connections. */
  readonly #queues = new Map<string, Promise<void>>();

  private constructor(database: Database, boss: PgBoss) {
    this.#database = database;
    this.#boss = boss;
  }

  /** @throws UnsupportedError for tables of a newer pg-boss. */
  static async start(database: Database): Promise<Dispatcher> {
    const boss = new PgBoss({
      db: bossOn(database),
      schema: BOSS_SCHEMA,
      schedule: false,
      supervise: false,
    });
    if (await boss.isInstalled())
      refuseNewer(database, "pg-boss", Number(await boss.schemaVersion()), BOSS_VERSION);
    await boss.start();
    return new Dispatcher(database, boss);
  }

  /** Makes the queue of a model, before a transaction that uses it. */
  async prepare(model: string): Promise<void> {
    const name = queueOf(model);
    const queue = this.#queues.get(name) ?? exclusively(this.#database, () => this.#boss.createQueue(name));
    this.#queues.set(name, queue);
    try {
      await queue;
    } catch (error) {
      this.#queues.delete(name);
      throw error;
    }
  }

  async add(sql: Sql, model: string, id: string, rank: number): Promise<void> {
    const options = { id, priority: -rank, retryLimit: RETRIES, db: bossOn(sql) };
    await this.#boss.send(queueOf(model), {}, options);
  }

  /** The next job of the model, which is then out of the queue until it is given back. */
  async next(sql: Sql, model: string): Promise<string | undefined> {
    // pg-boss takes a statement that failed for an empty queue.
    let failure: { readonly cause: unknown } | undefined;
    const db = bossOn({
      ...sql,
      query: (text, values) =>
        sql.query<never>(text, values).catch((cause: unknown) => {
          failure = { cause };
          throw cause;
        }),
    });
    const [job] = (await this.#boss.fetch(queueOf(model), { db, ignoreStartAfter: true })) ?? [];
    if (failure !== undefined) throw failure.cause;
    return job?.id;
  }

  /** In front: it keeps its rank. */
  async giveBack(sql: Sql, model: string, id: string): Promise<void> {
    await this.#boss.fail(queueOf(model), id, {}, { db: bossOn(sql) });
  }

  async remove(sql: Sql, model: string, id: string): Promise<void> {
    await this.#boss.deleteJob(queueOf(model), id, { db: bossOn(sql) });
  }

  /** pg-boss has no call for it. */
  async rank(sql: Sql, model: string, ids: readonly string[], ranks: readonly number[]): Promise<void> {
    await sql.query(
      `UPDATE ${BOSS_SCHEMA}.job SET priority = -moved.rank
       FROM unnest($2::uuid[], $3::integer[]) AS moved(id, rank)
       WHERE job.name = $1 AND job.id = moved.id`,
      [queueOf(model), ids, ranks],
    );
  }
}

/** pg-boss hands over scripts with a transaction of their own without values. */
function bossOn(sql: Sql): PgBoss.Db {
  return {
    async executeSql(text, values) {
      if (values !== undefined) return { rows: [...(await sql.query(text, values as Value[]))] };
      if (!/^\s*BEGIN;/.test(text)) return { rows: [...(await sql.query(text))] };
      await sql.script(text);
      return { rows: [] };
    },
  };
}

/** Its names reach PostgreSQL as byte strings, where a backslash means something. */
function queueOf(model: string): string {
  return encodeURIComponent(model);
}
