/** @file A queue that tells the metrics what becomes of its jobs. */
import { ENDED } from "../contract/job.ts";
import type { ClaimedJob, JobQueue } from "../contract/job-queue.ts";
import type { ServerMetrics } from "./server-metrics.ts";

/** The same queue; what is claimed, drawn and ended through it in this process is counted. */
export function countedQueue(queue: JobQueue, metrics: ServerMetrics): JobQueue {
  const { desk } = queue;
  return {
    submit: (job) => queue.submit(job),
    get: (id) => queue.get(id),
    list: (filter) => queue.list(filter),
    watch: (id, signal) => queue.watch(id, signal),
    async cancel(id) {
      const before = await queue.get(id);
      const record = await queue.cancel(id);
      if (record?.status === "cancelled" && before !== undefined && !ENDED.has(before.status)) {
        metrics.ended(record.request, "cancelled");
      }
      return record;
    },
    move: (id, before) => queue.move(id, before),
    counts: () => queue.counts(),
    desk: {
      async claim(worker, model) {
        const job = await desk.claim(worker, model);
        return job === undefined ? undefined : countedJob(job, metrics);
      },
      wait: (signal) => desk.wait(signal),
    },
    [Symbol.asyncDispose]: () => queue[Symbol.asyncDispose](),
  };
}

function countedJob(job: ClaimedJob, metrics: ServerMetrics): ClaimedJob {
  const { record } = job;
  const { request } = record;
  const secondsSince = (unix: number): number => Math.max(0, Date.now() / 1000 - unix);
  if (record.attempts <= 1) metrics.claimed(secondsSince(record.created));
  let [tokens, rows, at] = [0, 0, performance.now()];
  return {
    record,
    signal: job.signal,
    progress(progress) {
      const now = performance.now();
      // The first has the prompt, and what was drawn before, in it.
      if (progress.token === tokens + 1 && tokens > 0) metrics.token((now - at) / 1000);
      if (rows === 0 && progress.rows > 0) metrics.firstRow(secondsSince(record.created));
      tokens = progress.token;
      rows = progress.rows;
      at = now;
      job.progress(progress);
    },
    preview: (preview) => job.preview(preview),
    async finish(pictures, usage) {
      const entries = await job.finish(pictures, usage);
      if (entries.length > 0) {
        metrics.ended(request, "finished");
        metrics.drawn(usage, secondsSince(record.created));
      }
      return entries;
    },
    async fail(fault) {
      await job.fail(fault);
      metrics.ended(request, "failed");
    },
    release: () => job.release(),
  };
}
