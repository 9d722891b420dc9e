/** @file What a model does, for Prometheus: steps of the image head, rows of the backbone, prompts, decoding, memory of its caches. */
import { Counter, Gauge, Histogram, type Registry } from "prom-client";
import type { ModelLoad, ModelWork } from "../../generate/model-work.ts";

/** Seconds: from a small model's step to one of 14 billion parameters. */
const STEP_BUCKETS = [0.0001, 0.0002, 0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.5];
/** Seconds: from a small picture to a large one in bands. */
const DECODE_BUCKETS = [0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 30, 60];
/** Rows: up to three branches a picture. */
const BATCH_BUCKETS = [1, 2, 4, 6, 8, 12, 16, 24, 32, 48, 64, 96, 128];

export class ModelMetrics {
  readonly #steps: Counter;
  readonly #stepTime: Histogram;
  readonly #readTime: Histogram;
  readonly #batch: Histogram;
  readonly #decodeTime: Histogram;
  readonly #asked: Counter;
  readonly #hits: Counter;
  readonly #prefill: Counter;
  #load: () => ModelLoad | undefined = () => undefined;

  constructor(registry: Registry) {
    const registers = [registry];
    const counter = (name: string, help: string): Counter => new Counter({ name, help, registers });
    const histogram = (name: string, help: string, buckets: number[]): Histogram =>
      new Histogram({ name, help, buckets, registers });
    const gauge = (name: string, help: string, read: (load: ModelLoad) => number): Gauge => {
      const value = (): number => {
        const load = this.#load();
        return load === undefined ? 0 : read(load);
      };
      return new Gauge({
        name,
        help,
        registers,
        collect() {
          this.set(value());
        },
      });
    };
    this.#steps = counter("nextstep_fm_steps_total", "Solver steps of the image head, each token's counted");
    this.#stepTime = histogram(
      "nextstep_fm_step_seconds",
      "Seconds of a solver step for all pictures that are drawn together",
      STEP_BUCKETS,
    );
    this.#readTime = histogram(
      "nextstep_backbone_step_seconds",
      "Seconds in which the backbone read the newest tokens of all pictures",
      DECODE_BUCKETS.concat(0.002, 0.005).sort((a, b) => a - b),
    );
    this.#batch = histogram(
      "nextstep_batch_size",
      "Rows that the backbone reads in a step: branches of all pictures",
      BATCH_BUCKETS,
    );
    this.#decodeTime = histogram(
      "nextstep_vae_decode_seconds",
      "Seconds until a picture, or a look at an unfinished one, was decoded",
      DECODE_BUCKETS,
    );
    this.#asked = counter("nextstep_prefix_cache_queries_total", "Tokens of prompts, of all branches");
    this.#hits = counter("nextstep_prefix_cache_hits_total", "Tokens of prompts that were known from before");
    this.#prefill = counter("nextstep_prefill_tokens_total", "Tokens of prompts that were read");
    gauge("nextstep_images_running", "Pictures in the token loop", ({ pictures }) => pictures);
    gauge(
      "nextstep_kv_cache_bytes",
      "Keys and values of pictures in the loop",
      ({ cacheBytes }) => cacheBytes,
    );
    gauge(
      "nextstep_kv_cache_usage_perc",
      "Share of what keys and values of pictures may take, 0 to 1; more where one alone takes more",
      ({ cacheBytes, cacheLimit }) => (cacheBytes === 0 ? 0 : cacheBytes / Math.max(1, cacheLimit)),
    );
    gauge(
      "nextstep_prompt_cache_bytes",
      "Keys and values of prompts that are kept",
      ({ promptBytes }) => promptBytes,
    );
  }

  /** @param load of the model that is open, undefined while there is none */
  watch(load: () => ModelLoad | undefined): void {
    this.#load = load;
  }

  worked(work: ModelWork): void {
    switch (work.kind) {
      case "prompts":
        this.#asked.inc(work.tokens);
        this.#hits.inc(work.known);
        this.#prefill.inc(work.tokens - work.known);
        return;
      case "head":
        this.#steps.inc(work.steps);
        this.#stepTime.observe(work.seconds / work.longest);
        return;
      case "backbone":
        this.#batch.observe(work.rows);
        this.#readTime.observe(work.seconds);
        return;
      case "decoded":
        this.#decodeTime.observe(work.seconds);
    }
  }
}
