/** @file Jobs as they are read back. */
import type { JobRecord } from "../contract/job.ts";
import type { JobFilter } from "../contract/job-queue.ts";
import type { Sql, Value } from "./database.ts";
import { isId } from "./queue-core.ts";
import { SCHEMA } from "./schema.ts";

/** Behind it: conditions on `job`. */
const READ = `
  SELECT job.id::text AS id, job.status, job.model, job.owner, job.request, job.attempts,
    extract(epoch FROM job.created)::float8 AS created,
    extract(epoch FROM job.started)::float8 AS started,
    extract(epoch FROM job.ended)::float8 AS ended,
    CASE WHEN job.status = 'queued' THEN (
      SELECT count(*)::integer FROM ${SCHEMA}.job AS other
      WHERE other.status = 'queued' AND other.model = job.model AND other.rank < job.rank
    ) END AS position,
    drawing.progress, drawing.preview,
    (
      SELECT coalesce(json_agg(picture.id ORDER BY picture.index), '[]')
      FROM ${SCHEMA}.picture WHERE picture.job = job.id
    ) AS pictures,
    job.usage, job.fault
  FROM ${SCHEMA}.job LEFT JOIN ${SCHEMA}.drawing ON drawing.job = job.id`;

/** Those that are there, in no order. */
export async function readJobs(sql: Sql, ids: readonly string[]): Promise<readonly JobRecord[]> {
  return sql.query<JobRecord>(`${READ} WHERE job.id = ANY($1::uuid[])`, [ids.filter(isId)]);
}

export async function readJob(sql: Sql, id: string): Promise<JobRecord | undefined> {
  return (await readJobs(sql, [id]))[0];
}

/** Newest first. */
export async function listJobs(sql: Sql, filter: JobFilter): Promise<readonly JobRecord[]> {
  const { statuses, before, limit, owner } = filter;
  const values: Value[] = [limit];
  const conditions: string[] = [];
  const where = (condition: string, value: Value): void => {
    values.push(value);
    conditions.push(condition.replace("?", `$${values.length}`));
  };
  if (statuses !== undefined) where("job.status = ANY(?::text[])", statuses);
  if (owner !== undefined) where("job.owner = ?", owner);
  if (before !== undefined) {
    if (!isId(before)) return [];
    where(`job.place < (SELECT place FROM ${SCHEMA}.job WHERE id = ?::uuid)`, before);
  }
  const condition = conditions.length === 0 ? "" : `WHERE ${conditions.join(" AND ")}`;
  return sql.query<JobRecord>(`${READ} ${condition} ORDER BY job.place DESC LIMIT $1`, values);
}
