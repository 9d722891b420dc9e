/** @file What a worker tells, as lines of the log. */
import type { WorkerEvent } from "../serve/draw/worker.ts";
import type { LogLevel, ServerLog } from "../serve/http/server-log.ts";

const LEVELS: Readonly<Record<WorkerEvent["kind"], LogLevel>> = {
  claimed: "info",
  finished: "info",
  parked: "info",
  left: "info",
  "waiting for memory": "info",
  failed: "warning",
  "draft dropped": "warning",
  "draft not saved": "warning",
  "model reopened": "error",
  trouble: "error",
};

export function logWorkerEvent(event: WorkerEvent, log: ServerLog): void {
  const job = "job" in event ? { job: event.job } : {};
  const error = "error" in event ? { error: event.error.message } : {};
  log.write(LEVELS[event.kind], event.kind, { ...job, ...error });
}
