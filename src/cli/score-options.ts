/** @file The options of `nextstep score`. */
import type { AdapterArgument } from "./adapter-options.ts";
import type { ModelOptions } from "./model-options.ts";

export interface ScoreCommandOptions extends ModelOptions {
  readonly image?: readonly string[];
  readonly adapter?: readonly AdapterArgument[];
  readonly times?: number;
  readonly seed?: number;
  readonly heatMap?: string;
  readonly json?: true;
}
