/** @file Options of `nextstep learn`. */
import type { ModelOptions } from "./model-options.ts";

export interface LearnCommandOptions extends ModelOptions {
  readonly word: string;
  readonly out?: string;
  readonly steps?: number;
  readonly json?: true;
}
