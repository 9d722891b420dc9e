/** @file What the options of `nextstep PROMPT` and `nextstep again` become. */
import type { DrawOptions } from "../generate/draw-options.ts";
import type { DrawSettings } from "../generate/settings.ts";
import type { AspectName } from "../image/aspect-buckets.ts";

/** What drawing and drawing again have in common. */
export interface OutputOptions {
  readonly model?: string;
  readonly image?: readonly string[];
  readonly noise?: string;
  readonly saveTokens?: string;
  readonly threads?: number;
  readonly out?: string;
  /** False with `--no-preview`. */
  readonly preview: boolean;
  readonly json?: true;
}

export interface DrawCommandOptions extends OutputOptions, Partial<Omit<DrawSettings, "noiseLevel">> {
  readonly seed?: number;
  readonly size?: { readonly width: number; readonly height: number };
  readonly aspect?: AspectName;
  readonly count?: number;
}

/** The library's options of a command line. */
export function drawOptionsOf(options: DrawCommandOptions): DrawOptions {
  const names = [
    "cfg",
    "cfgImg",
    "cfgSchedule",
    "steps",
    "shift",
    "sampler",
    "useNorm",
    "positive",
    "negative",
    "seed",
    "size",
    "aspect",
    "count",
  ] as const;
  return Object.fromEntries(
    names.filter((name) => options[name] !== undefined).map((name) => [name, options[name]]),
  ) as DrawOptions;
}
