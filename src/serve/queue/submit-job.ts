/** @file How a job enters the queue. */
import { randomUUID } from "node:crypto";
import type { JobRecord, NewJob } from "../contract/job.ts";
import { IdempotencyError, QueueFullError } from "../contract/serve-error.ts";
import { namesInRequest, recordUses } from "./blob-uses.ts";
import type { Sql } from "./database.ts";
import { readJob } from "./job-record.ts";
import { type QueueCore, refuseZero } from "./queue-core.ts";
import { SCHEMA } from "./schema.ts";

/** Pictures of the past that tell how long one takes. */
const RECENT_JOBS = 20;
const RETRY_SECONDS = { least: 1, most: 60, unknown: 10 } as const;

export async function submitJob(core: QueueCore, job: NewJob, maxQueued: number): Promise<JobRecord> {
  const { request, model, owner, idempotency } = job;
  if (owner !== null) refuseZero(owner, "owner");
  const key = idempotency === null ? null : refuseZero(idempotency.key, "Idempotency-Key");
  await core.dispatcher.prepare(model);
  return core.change(async (change) => {
    const same = idempotency === null ? undefined : await earlier(change, owner, idempotency);
    const id = same ?? randomUUID();
    if (same === undefined) {
      await refuseFull(change, maxQueued);
      const [row] = await change.query<{ rank: number }>(
        `INSERT INTO ${SCHEMA}.job (id, model, owner, rank, request, idempotency_key, idempotency_digest)
         VALUES ($1::uuid, $2, $3, nextval('${SCHEMA}.rank')::integer, $4::json, $5, $6) RETURNING rank`,
        [id, model, owner, JSON.stringify(request), key, idempotency?.digest ?? null],
      );
      await recordUses(change, { job: id }, namesInRequest(request));
      await change.dispatcher.add(change, model, id, row!.rank);
      change.tell(id);
    }
    return (await readJob(change, id))!;
  });
}

/** The job that the key stands for already. @throws IdempotencyError if it is another request. */
async function earlier(
  sql: Sql,
  owner: string | null,
  { key, digest }: NonNullable<NewJob["idempotency"]>,
): Promise<string | undefined> {
  const [found] = await sql.query<{ id: string; digest: string }>(
    `SELECT id::text AS id, idempotency_digest AS digest FROM ${SCHEMA}.job
     WHERE coalesce(owner, '') = $1 AND idempotency_key = $2`,
    [owner ?? "", key],
  );
  if (found !== undefined && found.digest !== digest) throw new IdempotencyError();
  return found?.id;
}

async function refuseFull(sql: Sql, maxQueued: number): Promise<void> {
  const [{ queued } = { queued: 0 }] = await sql.query<{ queued: number }>(
    `SELECT count(*)::integer AS queued FROM ${SCHEMA}.job WHERE status = 'queued'`,
  );
  if (queued < maxQueued) return;
  const [{ seconds } = { seconds: null }] = await sql.query<{ seconds: number | null }>(
    `SELECT extract(epoch FROM avg(recent.ended - recent.started))::float8 AS seconds FROM (
       SELECT started, ended FROM ${SCHEMA}.job WHERE status = 'finished' AND ended IS NOT NULL
       ORDER BY ended DESC LIMIT ${RECENT_JOBS}
     ) AS recent`,
  );
  const { least, most, unknown } = RETRY_SECONDS;
  throw new QueueFullError(Math.min(most, Math.max(least, Math.ceil(seconds ?? unknown))), {
    where: `${queued} jobs wait`,
  });
}
