/** @file Another order of the jobs that wait. */
import type { Change } from "./queue-core.ts";
import { SCHEMA } from "./schema.ts";

/**
 * Puts a queued job in front of another of the same model, or last. The jobs share out the ranks that they have among
 * them: one that was begun and comes back is still in front of all.
 * @returns whether both wait in one queue
 */
export async function moveJob(change: Change, id: string, before: string | null): Promise<boolean> {
  const queued = await change.query<{ id: string; model: string; rank: number }>(
    `SELECT id::text AS id, model, rank FROM ${SCHEMA}.job
     WHERE status = 'queued' AND model = (SELECT model FROM ${SCHEMA}.job WHERE id = $1::uuid) ORDER BY rank`,
    [id],
  );
  const moved = queued.find((job) => job.id === id);
  if (moved === undefined) return false;
  if (before === id) return true;
  const order = queued.filter((job) => job !== moved);
  const at = before === null ? order.length : order.findIndex((job) => job.id === before);
  if (at < 0) return false;
  order.splice(at, 0, moved);
  const ids = order.map((job) => job.id);
  const ranks = queued.map(({ rank }) => rank);
  await change.query(
    `UPDATE ${SCHEMA}.job SET rank = moved.rank
     FROM unnest($1::uuid[], $2::integer[]) AS moved(id, rank) WHERE job.id = moved.id`,
    [ids, ranks],
  );
  await change.dispatcher.rank(change, moved.model, ids, ranks);
  change.tell(id);
  return true;
}
