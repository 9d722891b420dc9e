/** @file Options of the commands that write, and what does nothing among them. */
import { DEFAULT_TEMPERATURE, type TextSampling } from "../generate/choose-token.ts";
import type { ModelOptions } from "./model-options.ts";

export interface TextCommandOptions extends TextSampling, ModelOptions {
  readonly maxTokens?: number;
  readonly seed?: number;
  readonly json?: true;
}

/** The first option that does nothing as the others are, in one line; undefined if there is none. */
export function textContradiction(options: TextCommandOptions): string | undefined {
  if ((options.temperature ?? DEFAULT_TEMPERATURE) !== 0) return undefined;
  const idle = (["topK", "topP", "seed"] as const).find((name) => options[name] !== undefined);
  if (idle === undefined) return undefined;
  const option = { topK: "--top-k", topP: "--top-p", seed: "--seed" }[idle];
  return `${option} does nothing with --temperature 0, which always takes the best token: set --temperature above 0`;
}
