import { Registry } from "prom-client";
import { expect, it } from "vitest";
import { ModelMetrics } from "./model-metrics.ts";

it("counts what a model does, by the names that other servers have", async () => {
  const registry = new Registry();
  const metrics = new ModelMetrics(registry);
  expect(await registry.metrics()).toContain("nextstep_kv_cache_bytes 0");
  metrics.watch(() => ({ pictures: 3, cacheBytes: 50, cacheLimit: 200, promptBytes: 7 }));
  metrics.worked({ kind: "prompts", tokens: 20, known: 12 });
  metrics.worked({ kind: "head", tokens: 2, steps: 30, longest: 20, seconds: 0.06 });
  metrics.worked({ kind: "backbone", rows: 4, seconds: 0.004 });
  metrics.worked({ kind: "decoded", seconds: 0.3 });
  const text = await registry.metrics();
  for (const line of [
    "nextstep_fm_steps_total 30",
    'nextstep_fm_step_seconds_bucket{le="0.002"} 0',
    'nextstep_fm_step_seconds_bucket{le="0.005"} 1',
    "nextstep_backbone_step_seconds_count 1",
    'nextstep_batch_size_bucket{le="2"} 0',
    'nextstep_batch_size_bucket{le="4"} 1',
    "nextstep_vae_decode_seconds_sum 0.3",
    "nextstep_prefix_cache_queries_total 20",
    "nextstep_prefix_cache_hits_total 12",
    "nextstep_prefill_tokens_total 8",
    "nextstep_images_running 3",
    "nextstep_kv_cache_bytes 50",
    "nextstep_kv_cache_usage_perc 0.25",
    "nextstep_prompt_cache_bytes 7",
  ]) {
    expect(text).toContain(line);
  }
});
