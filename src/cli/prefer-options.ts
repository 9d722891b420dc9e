/** @file The options of `nextstep prefer`. */
import type { RewardSpec } from "../evaluate/rewards/reward-spec.ts";
import type { DrawSettings } from "../generate/settings.ts";
import type { AdapterArgument } from "./adapter-options.ts";
import type { ModelOptions } from "./model-options.ts";
import type { RewardSourceOptions } from "./reward-options.ts";

/** The settings among them. */
export const PREFER_SETTINGS = ["cfg", "steps", "sampler", "positive", "negative"] as const;

export interface PreferCommandOptions
  extends ModelOptions,
    RewardSourceOptions,
    Partial<Pick<DrawSettings, (typeof PREFER_SETTINGS)[number]>> {
  readonly reward: RewardSpec;
  readonly out: string;
  readonly perPrompt?: number;
  readonly pairs?: number;
  readonly apart?: number;
  readonly seed?: number;
  readonly atOnce?: number;
  readonly size?: { readonly width: number; readonly height: number };
  readonly adapter?: readonly AdapterArgument[];
  readonly json?: true;
}

/** Of the paper, arXiv 2508.10711. */
export const DEFAULT_PER_PROMPT = 16;
export const DEFAULT_PAIRS = 1;
export const DEFAULT_PREFER_AT_ONCE = 8;
export const DEFAULT_PREFER_SEED = 42;
