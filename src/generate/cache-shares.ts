/** @file How a process that draws for many shares out what is free: to the pictures that are drawn, and to prompts that are kept. */
import { CAPACITY_STEP, CachedRows, ROW_GROWTH } from "./cached-rows.ts";
import { MemoryEstimator, type ModelMemory } from "./memory-estimate.ts";
import type { OpenOptions } from "./open-options.ts";

/** In bytes of keys and values, as options of opening take them. */
export interface CacheShares {
  readonly cacheBytes: number;
  readonly promptBytes: number;
}

/** Of up to 128 tokens: four for each picture of a batch of eight, one of which is that without a condition. */
const KEPT_PROMPTS = 32;
/** Some fifty short prompts of a small model; of the 14B shape none, whose keys and values of a prompt are larger. */
const LEAST_PROMPT_BYTES = 2 ** 25;
/** Prompts save seconds, pictures that are drawn together minutes. */
const PROMPT_SHARE = 1 / 4;
/** The estimate is good to a tenth, and others take memory too. */
const SAFE_SHARE = 0.8;

/**
 * What is left of the free bytes when the weights are bound and one picture of the model's own size is drawn and decoded,
 * without its caches. Nothing where that is nothing: pictures are drawn one by one then.
 * @param free bytes that the process may take, before any weight is bound; undefined where nobody knows: no bound
 */
export function cacheShares(model: ModelMemory, free: number | undefined): CacheShares {
  const { config } = model;
  const wanted = Math.max(LEAST_PROMPT_BYTES, KEPT_PROMPTS * CachedRows.bytes(config, 1, CAPACITY_STEP));
  if (free === undefined) return { cacheBytes: Number.MAX_SAFE_INTEGER, promptBytes: wanted };
  const side = config.latentSize / config.latentPatchSize;
  const one = { grid: [side, side] as const, pictures: 1, rows: 2, promptTokens: CAPACITY_STEP };
  const { opening, drawing, parts } = new MemoryEstimator(model).ceiling(one);
  const left = Math.max(0, SAFE_SHARE * (free - Math.max(opening, drawing - parts.caches)));
  const promptBytes = Math.floor(Math.min(PROMPT_SHARE * left, wanted));
  return { cacheBytes: Math.floor((left - promptBytes) / (1 + ROW_GROWTH)), promptBytes };
}

/**
 * As options of opening say, or by memory.
 * @param model undefined where its memory cannot be estimated
 * @param free as for {@link cacheShares}
 */
export function sharesOf(
  { cacheBytes, promptBytes, checkMemory }: Pick<OpenOptions, "cacheBytes" | "promptBytes" | "checkMemory">,
  model: ModelMemory | undefined,
  free: number | undefined,
): CacheShares {
  const unbound: CacheShares = { cacheBytes: Number.MAX_SAFE_INTEGER, promptBytes: LEAST_PROMPT_BYTES };
  const isAsked = cacheBytes === "by memory" || promptBytes === "by memory";
  const byMemory =
    isAsked && model !== undefined ? cacheShares(model, checkMemory === false ? undefined : free) : unbound;
  return {
    cacheBytes: cacheBytes === "by memory" ? byMemory.cacheBytes : (cacheBytes ?? unbound.cacheBytes),
    promptBytes: promptBytes === "by memory" ? byMemory.promptBytes : (promptBytes ?? unbound.promptBytes),
  };
}
