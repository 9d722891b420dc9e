/** @file What the doors count, for Prometheus. Each server has a registry of its own. */
import { Counter, Gauge, Histogram, Registry } from "prom-client";
import type { JobQueue } from "../contract/job-queue.ts";

/** Seconds: from a health check to a large picture on a slow machine. */
const REQUEST_BUCKETS = [0.005, 0.02, 0.1, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 900, 3600];

export class ServerMetrics {
  readonly registry = new Registry();
  readonly #requests: Counter<"handler" | "method" | "status">;
  readonly #durations: Histogram<"handler" | "method">;
  readonly #collectCounts: () => Promise<void>;

  /** @param model stands as `model_name` at every metric */
  constructor(model: string, queue: Pick<JobQueue, "counts">) {
    const registers = [this.registry];
    this.registry.setDefaultLabels({ model_name: model });
    this.#requests = new Counter({
      name: "nextstep_http_requests_total",
      help: "Requests by route, method and status",
      labelNames: ["handler", "method", "status"],
      registers,
    });
    this.#durations = new Histogram({
      name: "nextstep_http_request_duration_seconds",
      help: "Seconds until a request was answered to its end",
      labelNames: ["handler", "method"],
      buckets: REQUEST_BUCKETS,
      registers,
    });
    // Not prom-client's default metrics: their observers stay behind when a server has ended.
    new Gauge({
      name: "process_resident_memory_bytes",
      help: "Memory of the process",
      registers,
      collect() {
        this.set(process.memoryUsage.rss());
      },
    });
    new Gauge({
      name: "process_start_time_seconds",
      help: "When the process began, Unix seconds",
      registers,
    }).set(performance.timeOrigin / 1000);
    const gauges = ["running", "waiting"].map(
      (state) =>
        new Gauge({
          name: `nextstep_num_requests_${state}`,
          help: `Jobs of the queue that are ${state}`,
          registers,
        }),
    );
    const [running, waiting] = gauges as [Gauge, Gauge];
    this.#collectCounts = async () => {
      const { queued, drawing } = await queue.counts();
      running.set(drawing);
      waiting.set(queued);
    };
  }

  request(handler: string, method: string, status: number, seconds: number): void {
    this.#requests.inc({ handler, method, status });
    this.#durations.observe({ handler, method }, seconds);
  }

  /** In Prometheus' text format. */
  async text(): Promise<string> {
    await this.#collectCounts();
    return this.registry.metrics();
  }
}
