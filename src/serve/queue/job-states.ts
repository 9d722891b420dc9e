/** @file How a job is taken, given back, lost and ended. */
import type { JobFault, JobStatus } from "../contract/job.ts";
import { dropLooks } from "./blob-uses.ts";
import type { Sql } from "./database.ts";
import type { Change } from "./queue-core.ts";
import { SCHEMA } from "./schema.ts";

/**
 * A job that ends its worker so often without getting any further would end the next one too. Fewer would now and then be
 * met by chance where servers are killed as soon as they are up: each takes first what was lost before.
 */
const MAX_LOSSES = 8;

/** A job in the hands of a worker. The attempt tells it from the same job in other hands. */
export interface Hold {
  readonly job: string;
  readonly model: string;
  readonly attempt: number;
}

/** Gives the next job of a model to a worker. */
export async function takeNext(change: Change, worker: string, model: string): Promise<Hold | undefined> {
  for (;;) {
    const job = await change.dispatcher.next(change, model);
    if (job === undefined) return undefined;
    const [row] = await change.query<{ attempts: number }>(
      `UPDATE ${SCHEMA}.job SET status = 'drawing', attempts = attempts + 1,
         started = coalesce(started, clock_timestamp())
       WHERE id = $1::uuid AND status = 'queued' RETURNING attempts`,
      [job],
    );
    if (row === undefined) {
      // Somebody changed the tables by hand.
      await change.dispatcher.remove(change, model, job);
      continue;
    }
    await change.query(
      `INSERT INTO ${SCHEMA}.drawing (job, worker, attempt) VALUES ($1::uuid, $2, $3)
       ON CONFLICT (job) DO UPDATE SET worker = $2, attempt = $3, beat = clock_timestamp()`,
      [job, worker, row.attempts],
    );
    change.tell(job);
    return { job, model, attempt: row.attempts };
  }
}

/** Whether the job is still in these hands, and stays so until the transaction ends. */
export async function isHeld(sql: Sql, { job, attempt }: Hold): Promise<boolean> {
  const rows = await sql.query(
    `SELECT 1 FROM ${SCHEMA}.drawing
     WHERE job = $1::uuid AND attempt = $2 AND worker IS NOT NULL FOR UPDATE`,
    [job, attempt],
  );
  return rows.length > 0;
}

/** To the front of the queue. What was drawn of it stays. */
export async function giveBack(change: Change, { job, model }: Pick<Hold, "job" | "model">): Promise<void> {
  await change.query(`UPDATE ${SCHEMA}.job SET status = 'queued' WHERE id = $1::uuid`, [job]);
  await change.query(`UPDATE ${SCHEMA}.drawing SET worker = NULL WHERE job = $1::uuid`, [job]);
  await change.dispatcher.giveBack(change, model, job);
  change.tell(job);
}

/**
 * Takes back jobs whose workers have been silent for so long; all that are in any hands if no time is given. Ends those
 * that were lost too often at the same token.
 * @returns how many
 */
export async function takeBackLost(change: Change, silentSeconds?: number): Promise<number> {
  const lost = await change.query<{ job: string; model: string; losses: number }>(
    `UPDATE ${SCHEMA}.job SET
       losses = CASE WHEN held.token > lost_at THEN 1 ELSE losses + 1 END,
       lost_at = greatest(held.token, lost_at)
     FROM (
       SELECT job, coalesce((progress->>'token')::integer, 0) AS token FROM ${SCHEMA}.drawing
       WHERE worker IS NOT NULL AND ($1::float8 IS NULL OR beat < clock_timestamp() - $1 * interval '1 second')
     ) AS held
     WHERE job.id = held.job RETURNING job.id::text AS job, job.model, job.losses`,
    [silentSeconds ?? null],
  );
  for (const { job, model, losses } of lost) {
    if (losses < MAX_LOSSES) await giveBack(change, { job, model });
    else await endJob(change, job, { status: "failed", fault: endsItsWorker(losses) });
  }
  return lost.length;
}

function endsItsWorker(times: number): JobFault {
  return {
    status: 500,
    message: `the server ended ${times} times while it drew this, each time at the same place`,
    code: "worker_lost",
    param: null,
  };
}

export interface Ending {
  readonly status: Extract<JobStatus, "finished" | "failed" | "cancelled">;
  readonly usage?: object;
  readonly fault?: JobFault;
}

/** Ends a job that has not ended. @returns whether it had not. */
export async function endJob(
  change: Change,
  job: string,
  { status, usage, fault }: Ending,
): Promise<boolean> {
  const [row] = await change.query<{ model: string }>(
    `UPDATE ${SCHEMA}.job SET status = $2, ended = clock_timestamp(), usage = $3::json, fault = $4::json
     WHERE id = $1::uuid AND ended IS NULL RETURNING model`,
    [job, status, toJson(usage), toJson(fault)],
  );
  if (row === undefined) return false;
  await change.query(`DELETE FROM ${SCHEMA}.drawing WHERE job = $1::uuid`, [job]);
  await dropLooks(change, job);
  await change.dispatcher.remove(change, row.model, job);
  change.tell(job);
  return true;
}

function toJson(value: object | undefined): string | null {
  return value === undefined ? null : JSON.stringify(value);
}
