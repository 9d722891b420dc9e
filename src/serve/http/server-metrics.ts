/** @file What a server counts, for Prometheus, by the names that other servers of models have. Each has a registry of its own. */
import { Counter, Gauge, Histogram, Registry } from "prom-client";
import type { DrawRequest } from "../contract/draw-request.ts";
import type { JobUsage } from "../contract/job.ts";
import type { JobQueue } from "../contract/job-queue.ts";
import { ModelMetrics } from "./model-metrics.ts";

/** Seconds: from a health check to a large picture on a slow machine. */
const REQUEST_BUCKETS = [0.005, 0.02, 0.1, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 900, 3600];
/** Seconds: from a small model to 14 billion parameters on two cores. */
const TOKEN_BUCKETS = [0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10];

export class ServerMetrics {
  readonly #registry = new Registry();
  /** Of the model's own work. */
  readonly model: ModelMetrics;
  readonly #requests: Counter<"handler" | "method" | "status">;
  readonly #durations: Histogram<"handler" | "method">;
  readonly #images: Counter<"task" | "outcome">;
  readonly #promptTokens: Counter;
  readonly #imageTokens: Counter;
  readonly #queueTime: Histogram;
  readonly #firstRow: Histogram;
  readonly #tokenTime: Histogram;
  readonly #endToEnd: Histogram;
  readonly #modelLoad: Gauge;
  readonly #running: Gauge;
  readonly #waiting: Gauge;

  /** @param model stands as `model_name` at every metric */
  constructor(model: string) {
    const registry = this.#registry;
    const registers = [registry];
    registry.setDefaultLabels({ model_name: model });
    this.model = new ModelMetrics(registry);
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
    this.#images = new Counter({
      name: "nextstep_images_total",
      help: "Pictures of jobs that ended through this process",
      labelNames: ["task", "outcome"],
      registers,
    });
    const counter = (name: string, help: string): Counter => new Counter({ name, help, registers });
    const gauge = (name: string, help: string): Gauge => new Gauge({ name, help, registers });
    const seconds = (name: string, help: string, buckets = REQUEST_BUCKETS): Histogram =>
      new Histogram({ name, help, buckets, registers });
    this.#promptTokens = counter(
      "nextstep_prompt_tokens_total",
      "Tokens read: of prompts and input pictures",
    );
    this.#imageTokens = counter("nextstep_image_tokens_total", "Tokens of finished pictures");
    this.#queueTime = seconds("nextstep_request_queue_time_seconds", "Seconds that a job waited");
    this.#firstRow = seconds(
      "nextstep_time_to_first_row_seconds",
      "Seconds from a job's acceptance to its first row",
    );
    this.#tokenTime = seconds(
      "nextstep_inter_token_latency_seconds",
      "Seconds between two tokens of a picture",
      TOKEN_BUCKETS,
    );
    this.#endToEnd = seconds(
      "nextstep_e2e_request_latency_seconds",
      "Seconds from a job's acceptance to its pictures",
    );
    this.#modelLoad = gauge(
      "nextstep_model_load_seconds",
      "Seconds until the model had drawn its first token",
    );
    this.#running = gauge("nextstep_num_requests_running", "Jobs of the queue that are drawn");
    this.#waiting = gauge("nextstep_num_requests_waiting", "Jobs of the queue that wait");
  }

  get contentType(): string {
    return this.#registry.contentType;
  }

  request(handler: string, method: string, status: number, seconds: number): void {
    this.#requests.inc({ handler, method, status });
    this.#durations.observe({ handler, method }, seconds);
  }

  claimed(waitedSeconds: number): void {
    this.#queueTime.observe(waitedSeconds);
  }

  token(seconds: number): void {
    this.#tokenTime.observe(seconds);
  }

  firstRow(seconds: number): void {
    this.#firstRow.observe(seconds);
  }

  ended({ task, count }: DrawRequest, outcome: "finished" | "failed" | "cancelled"): void {
    this.#images.inc({ task, outcome }, count);
  }

  drawn({ textTokens, inputImageTokens, outputTokens }: JobUsage, seconds: number): void {
    this.#promptTokens.inc(textTokens + inputImageTokens);
    this.#imageTokens.inc(outputTokens);
    this.#endToEnd.observe(seconds);
  }

  modelLoaded(seconds: number): void {
    this.#modelLoad.set(seconds);
  }

  /** In Prometheus' text format. */
  async text(queue: Pick<JobQueue, "counts">): Promise<string> {
    const { queued, drawing } = await queue.counts();
    this.#running.set(drawing);
    this.#waiting.set(queued);
    return this.#registry.metrics();
  }
}
