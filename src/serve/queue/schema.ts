/** @file The queue's tables and how they came to be, version by version. Beside them stand those of pg-boss. */
import { UnsupportedError } from "../../errors.ts";
import type { Database, Sql } from "./database.ts";

/** Names both schemas, so that a database may hold other things too. */
export const SCHEMA = "nextstep";
export const BOSS_SCHEMA = "nextstep_boss";

/** Of all that changes which job is next: every change is made under it, so that the order is the same for everybody. */
export const QUEUE_LOCK = 0x6e657874;
const MIGRATION_LOCK = 0x6e657875;

/**
 * A script a version; what is published is never changed.
 *
 * - `job`: a request and what became of it. The lower its rank, the sooner its turn. `json`, not `jsonb`: that takes no
 *   zero characters, and prompts are whatever people send.
 * - `drawing`: what changes often in a job that has been begun; narrow, because each change writes a row anew. `worker` is
 *   null when nobody holds the job, `attempt` grows each time that it is handed out.
 * - `picture`: the gallery. A picture outlives its job.
 * - `blob_use`: which stored files are named by what; `dropped`: since when it is of no use to those who watch.
 */
const MIGRATIONS: readonly string[] = [
  `
  CREATE TABLE ${SCHEMA}.job (
    id uuid PRIMARY KEY,
    place bigint GENERATED ALWAYS AS IDENTITY,
    model text NOT NULL,
    owner text,
    status text NOT NULL DEFAULT 'queued'
      CHECK (status IN ('queued', 'drawing', 'finished', 'failed', 'cancelled')),
    rank integer NOT NULL,
    request json NOT NULL,
    idempotency_key text,
    idempotency_digest text,
    created timestamptz NOT NULL DEFAULT clock_timestamp(),
    started timestamptz,
    ended timestamptz,
    attempts integer NOT NULL DEFAULT 0,
    losses integer NOT NULL DEFAULT 0,
    lost_at integer NOT NULL DEFAULT -1,
    usage json,
    fault json
  );
  CREATE UNIQUE INDEX job_place ON ${SCHEMA}.job (place);
  CREATE INDEX job_queued ON ${SCHEMA}.job (model, rank) WHERE status = 'queued';
  CREATE INDEX job_ended ON ${SCHEMA}.job (ended) WHERE ended IS NOT NULL;
  CREATE UNIQUE INDEX job_idempotency ON ${SCHEMA}.job (coalesce(owner, ''), idempotency_key)
    WHERE idempotency_key IS NOT NULL;
  CREATE SEQUENCE ${SCHEMA}.rank AS integer;
  CREATE TABLE ${SCHEMA}.drawing (
    job uuid PRIMARY KEY REFERENCES ${SCHEMA}.job ON DELETE CASCADE,
    worker text,
    attempt integer NOT NULL,
    beat timestamptz NOT NULL DEFAULT clock_timestamp(),
    progress json,
    preview json
  );
  CREATE TABLE ${SCHEMA}.picture (
    id uuid PRIMARY KEY,
    place bigint GENERATED ALWAYS AS IDENTITY,
    job uuid NOT NULL,
    index integer NOT NULL,
    owner text,
    created timestamptz NOT NULL DEFAULT clock_timestamp(),
    blob text NOT NULL,
    tokens text NOT NULL,
    thumbnail text NOT NULL,
    bytes bigint NOT NULL,
    width integer NOT NULL,
    height integer NOT NULL,
    recipe json NOT NULL,
    notes json NOT NULL,
    request json NOT NULL,
    UNIQUE (job, index)
  );
  CREATE UNIQUE INDEX picture_place ON ${SCHEMA}.picture (place);
  CREATE INDEX picture_created ON ${SCHEMA}.picture (created);
  CREATE TABLE ${SCHEMA}.blob_use (
    name text NOT NULL,
    job uuid REFERENCES ${SCHEMA}.job ON DELETE CASCADE,
    picture uuid REFERENCES ${SCHEMA}.picture ON DELETE CASCADE,
    look boolean NOT NULL DEFAULT false,
    dropped timestamptz
  );
  CREATE INDEX blob_use_name ON ${SCHEMA}.blob_use (name);
  CREATE INDEX blob_use_job ON ${SCHEMA}.blob_use (job) WHERE job IS NOT NULL;
  CREATE INDEX blob_use_picture ON ${SCHEMA}.blob_use (picture) WHERE picture IS NOT NULL;
  CREATE INDEX blob_use_dropped ON ${SCHEMA}.blob_use (dropped) WHERE dropped IS NOT NULL;
  CREATE TABLE ${SCHEMA}.chore (name text PRIMARY KEY, done timestamptz NOT NULL);
  `,
];

/**
 * Does what changes tables while no other process does: servers that start at once take turns. Scripts that take a lock
 * themselves, as those of pg-boss, would not do: what they look up in front of it may be out of date behind it.
 */
export async function exclusively<T>(database: Database, work: () => Promise<T>): Promise<T> {
  if (!database.isShared) return work();
  return database.transaction("power", async (sql) => {
    await sql.query("SELECT pg_advisory_xact_lock($1::bigint)", [MIGRATION_LOCK]);
    return work();
  });
}

/**
 * Brings the tables to this program's version.
 * @throws UnsupportedError for a database that a newer program has changed.
 */
export async function migrate(database: Database): Promise<void> {
  await database.transaction("power", async (sql) => {
    await sql.script(`
      CREATE SCHEMA IF NOT EXISTS ${SCHEMA};
      CREATE TABLE IF NOT EXISTS ${SCHEMA}.version (version integer NOT NULL);
    `);
    const version = await versionOf(sql);
    refuseNewer(database, "the queue", version, MIGRATIONS.length);
    if (version === MIGRATIONS.length) return;
    for (const script of MIGRATIONS.slice(version)) await sql.script(script);
    await sql.script(
      `DELETE FROM ${SCHEMA}.version; INSERT INTO ${SCHEMA}.version VALUES (${MIGRATIONS.length})`,
    );
  });
}

/** @throws UnsupportedError if `found` is above what this program knows. */
export function refuseNewer({ name }: Database, what: string, found: number, known: number): void {
  if (found <= known) return;
  throw new UnsupportedError(`${what} has version ${found} there, and this program knows ${known}`, {
    where: name,
    remedy: "use the newer version of nextstep that changed it, or name another store or database",
  });
}

async function versionOf(sql: Sql): Promise<number> {
  const [row] = await sql.query<{ version: number }>(`SELECT version FROM ${SCHEMA}.version`);
  return row?.version ?? 0;
}
