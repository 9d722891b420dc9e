/** @file The jobs that have not ended, as several sources tell of them: the list that is asked for, and events. */
import type { Job } from "../api/answers.ts";
import { hasEnded } from "../api/follow-job.ts";

/** In the order in which they are drawn: those being drawn by age, then those that wait. */
export function inOrder(jobs: Iterable<Job>): readonly Job[] {
  const place = (job: Job): number =>
    job.status === "drawing" ? -1 : (job.queue_position ?? Number.MAX_VALUE);
  return [...jobs].sort((a, b) => place(a) - place(b) || a.created - b.created);
}

/**
 * The board after a list came.
 * @param followed the job whose events arrive one by one; they are newer than any list, unless it has ended since
 * @returns the jobs, and those that were there and are gone from the list, which have ended
 */
export function withList(
  board: readonly Job[],
  list: readonly Job[],
  followed: string | undefined,
): { readonly jobs: readonly Job[]; readonly gone: readonly Job[] } {
  const listed = new Set(list.map(({ id }) => id));
  const own = board.find(({ id }) => id === followed);
  const jobs = list.flatMap((job) => {
    if (hasEnded(job)) return [];
    // Its place in the queue is known from the list alone: others' jobs move it.
    if (job.id === own?.id && own.status === "drawing" && job.status === "drawing") return own;
    return job;
  });
  return { jobs: inOrder(jobs), gone: board.filter(({ id }) => !listed.has(id)) };
}

/** The board after an event of one job. */
export function withJob(board: readonly Job[], job: Job): readonly Job[] {
  const known = board.find(({ id }) => id === job.id);
  if (known?.status === "queued" && job.status === "queued") {
    // Where it stands among the others is for the next list to say: their places are older than this event.
    const { queue_position } = known;
    return board.map((other) => (other === known ? { ...job, queue_position } : other));
  }
  const others = board.filter(({ id }) => id !== job.id);
  return hasEnded(job) ? others : inOrder([...others, job]);
}

/** For `move`: the job in front of which a queued job comes when it goes up or down by one; undefined where it cannot. */
export function moveTarget(board: readonly Job[], id: string, by: -1 | 1): string | null | undefined {
  const queued = board.filter(({ status }) => status === "queued");
  const at = queued.findIndex((job) => job.id === id);
  if (at < 0) return undefined;
  if (by < 0) return queued[at - 1]?.id;
  return at + 1 >= queued.length ? undefined : (queued[at + 2]?.id ?? null);
}

/** One line on where a job stands. */
export function standing(job: Job): string {
  const { status, queue_position: position, progress } = job;
  if (status === "queued") {
    if (position === null || position === 0) return "next";
    return `${position} before it`;
  }
  if (status === "drawing") {
    if (progress === null || progress.token === 0) return "reading the prompt";
    return progress.rows >= progress.of_rows
      ? "finishing"
      : `row ${progress.rows + 1} of ${progress.of_rows}`;
  }
  return { finished: "done", failed: "failed", cancelled: "cancelled" }[status];
}
