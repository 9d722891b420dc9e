/** @file The options of `nextstep evaluate`. */
import type { DrawSettings } from "../generate/settings.ts";
import type { AdapterArgument } from "./adapter-options.ts";
import type { ModelOptions } from "./model-options.ts";

export interface EvaluateCommandOptions
  extends ModelOptions,
    Partial<Pick<DrawSettings, "cfg" | "cfgImg" | "steps" | "sampler" | "positive" | "negative">> {
  readonly prompts: readonly string[];
  readonly out: string;
  readonly images?: string;
  readonly count?: number;
  readonly seed?: number;
  readonly name?: string;
  readonly atOnce?: number;
  readonly size?: { readonly width: number; readonly height: number };
  readonly think?: true;
  readonly adapter?: readonly AdapterArgument[];
  readonly json?: true;
}

export const DEFAULT_AT_ONCE = 8;
export const DEFAULT_EVALUATION_SEED = 42;
/** The settings among them. */
export const EVALUATE_SETTINGS = ["cfg", "cfgImg", "steps", "sampler", "positive", "negative"] as const;
