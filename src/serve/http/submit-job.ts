/** @file Puts jobs into the queue and waits for them. */
import { createHash } from "node:crypto";
import { abortError } from "../../errors.ts";
import { relayed } from "../../generate/abort.ts";
import type { DrawRequest } from "../contract/draw-request.ts";
import type { GalleryEntry } from "../contract/gallery.ts";
import { ENDED, type JobRecord } from "../contract/job.ts";
import { ApiError, faultError, invalidRequest, unavailable } from "./api-error.ts";
import type { RequestContext } from "./routes.ts";
import type { ServerParts } from "./server-parts.ts";
import { settleRequest, type Wish } from "./settle-request.ts";

const MAX_KEY_CHARACTERS = 255;

/** A job that was accepted, and whether it ends when its client goes away. */
export interface Accepted {
  readonly record: JobRecord;
  readonly attended: boolean;
}

/**
 * @param waits whether the client stays for the pictures. With an `Idempotency-Key` the job goes on without it, because a
 * client that sends one asks again.
 * @throws ApiError for a wish that does not fit, QueueFullError, IdempotencyError.
 */
export async function submitJob(
  wish: Wish,
  context: RequestContext,
  parts: ServerParts,
  waits: boolean,
): Promise<Accepted> {
  refuseWhileDraining(parts);
  const key = context.req.header("idempotency-key");
  if (key !== undefined && (key === "" || key.length > MAX_KEY_CHARACTERS)) {
    throw invalidRequest(`The Idempotency-Key has ${key.length} characters: use 1 to ${MAX_KEY_CHARACTERS}.`);
  }
  const request = settleRequest(wish, parts);
  const owner = context.get("owner");
  const attended = waits && key === undefined;
  const idempotency = key === undefined ? null : { key, digest: wishDigest(wish, request) };
  const record = await parts.queue.submit({ request, model: parts.model.id, owner, idempotency });
  parts.log.write("info", "job accepted", {
    request_id: context.get("requestId"),
    job: record.id,
    task: request.task,
    n: request.count,
    native: `${request.native.width}x${request.native.height}`,
  });
  return { record, attended };
}

/** Of what was asked for, with no seed where none was given. */
function wishDigest(wish: Wish, request: DrawRequest): string {
  const asked = JSON.stringify({ ...request, seed: wish.seed ?? null });
  return createHash("sha256").update(asked).digest("hex");
}

export function refuseWhileDraining({ state }: Pick<ServerParts, "state">): void {
  if (state.phase === "draining") {
    throw unavailable("The server is stopping. Please try again.", "stopping", 5);
  }
}

/**
 * The job's record as it changes, until it has ended. Where it is attended and the client goes away, or stops reading, it is
 * cancelled.
 */
export async function* attendedRecords(
  { record, attended }: Accepted,
  parts: ServerParts,
  signal: AbortSignal,
): AsyncGenerator<JobRecord> {
  const { queue, state } = parts;
  using watched = relayed(signal, state.stopping);
  let last = record;
  try {
    for await (const now of queue.watch(record.id, watched.signal)) {
      last = now;
      yield now;
    }
    // What ended in the last moment is answered.
    if (state.stopping.aborted && !ENDED.has(last.status)) {
      last = (await queue.get(record.id)) ?? last;
      if (ENDED.has(last.status)) yield last;
    }
    if (ENDED.has(last.status)) return;
    if (watched.signal.aborted) throw abortError(watched.signal);
    throw new ApiError(500, "The job was lost.", { code: "internal_error" });
  } finally {
    if (attended && !ENDED.has(last.status)) await queue.cancel(record.id);
  }
}

/**
 * The finished job and its pictures.
 * @throws ApiError for a job that failed or was cancelled.
 */
export async function finishedJob(
  accepted: Accepted,
  parts: ServerParts,
  signal: AbortSignal,
): Promise<{ readonly record: JobRecord; readonly entries: readonly GalleryEntry[] }> {
  let record = accepted.record;
  for await (const now of attendedRecords(accepted, parts, signal)) record = now;
  return { record, entries: await picturesOf(record, parts) };
}

/** The pictures of a job that has ended. Throws as {@link finishedJob} does. */
export async function picturesOf(
  record: JobRecord,
  { gallery }: ServerParts,
): Promise<readonly GalleryEntry[]> {
  if (record.fault !== null) throw faultError(record.fault);
  if (record.status === "cancelled") {
    throw new ApiError(409, "The job was cancelled.", { code: "job_cancelled" });
  }
  const entries = await Promise.all(record.pictures.map((id) => gallery.get(id)));
  return entries.map((entry) => {
    if (entry !== undefined) return entry;
    throw new ApiError(410, "The picture was removed from the gallery.", { code: "picture_removed" });
  });
}
