/** @file Classifier-free guidance as a weight for each branch, and its schedules (docs/nextstep-spec.md 3.2). */
import { ConfigError } from "../errors.ts";
import type { SamplerName } from "./solvers.ts";

/** `linear` runs down from the full scale with the samplers `v1` and `v1.1`, and up to it with the others, as published. */
export type CfgSchedule = "constant" | "linear";

export const CFG_SCHEDULES: readonly CfgSchedule[] = ["constant", "linear"];

export interface Guidance {
  readonly cfg: number;
  readonly cfgImg: number;
  readonly schedule: CfgSchedule;
  /**
   * Share of the picture's tokens that are guided, from the first one on, above 0. The others are drawn by the condition
   * alone, as a guidance interval (arXiv 2404.07724) along the tokens. Default 1.
   */
  readonly until?: number;
}

/** Scales of one token. */
export interface GuidanceScales {
  readonly cfg: number;
  readonly cfgImg: number;
}

/**
 * Scales for the token of index `token` among `count`.
 * @throws ConfigError for an unknown schedule.
 */
export function guidanceAt(
  guidance: Guidance,
  sampler: SamplerName,
  token: number,
  count: number,
): GuidanceScales {
  const { cfg, cfgImg, schedule } = guidance;
  switch (schedule) {
    case "constant":
      return { cfg, cfgImg };
    case "linear":
      return { cfg: linear(cfg, sampler, token, count), cfgImg: linear(cfgImg, sampler, token, count) };
    default:
      throw new ConfigError(`"${String(schedule)}" is not a guidance schedule`, {
        where: "cfgSchedule",
        remedy: `use one of ${CFG_SCHEDULES.join(", ")}`,
      });
  }
}

/** How many of `count` tokens are guided, from the first one on; at least one. */
export function guidedTokens({ until = 1 }: Pick<Guidance, "until">, count: number): number {
  return Math.max(1, Math.round(until * count));
}

function linear(scale: number, sampler: SamplerName, token: number, count: number): number {
  if (sampler === "v1" || sampler === "v1.1") return 1 + ((scale - 1) * (count - token)) / count;
  return Math.max(scale / 2, 1 + ((scale - 1) * token) / count);
}

/**
 * Weights of the branches (condition, image-only, none), so that v = sum of weight x v_branch. They sum to 1.
 *
 * The number of branches is settled once for a request. The published code counts scales above 1 anew at each token,
 * so its linear schedule fails where a scale reaches 1; here that branch simply has weight 0.
 */
export function branchWeights(branches: 1 | 2 | 3, { cfg, cfgImg }: GuidanceScales): readonly number[] {
  if (branches === 1) return [1];
  return branches === 2 ? [cfg, 1 - cfg] : [cfg, cfgImg - cfg, 1 - cfgImg];
}
