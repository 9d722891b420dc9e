/** @file What the options of `nextstep PROMPT` and `nextstep again` become. */

import type { RewardSpec } from "../evaluate/rewards/reward-spec.ts";
import type { DrawOptions } from "../generate/draw-options.ts";
import type { ChosenBy } from "../generate/recipe-chosen.ts";
import { type DrawSettings, SETTING_NAMES } from "../generate/settings.ts";
import type { ThinkOptions } from "../generate/think-options.ts";
import type { AspectName } from "../image/aspect-buckets.ts";
import { type AdapterArgument, adapterChoices } from "./adapter-options.ts";
import type { ModelOptions } from "./model-options.ts";
import type { Target } from "./picture-file.ts";
import type { RewardSourceOptions } from "./reward-options.ts";

/** What drawing and drawing again have in common. */
export interface OutputOptions extends ModelOptions {
  readonly image?: readonly string[];
  readonly adapter?: readonly AdapterArgument[];
  readonly noise?: string;
  readonly saveTokens?: string;
  /** Where the drawing's job is kept from its first token on. */
  readonly job?: string;
  /** Where the picture so far is kept while it is drawn. */
  readonly previewFile?: string;
  readonly out: Target;
  /** False with `--no-preview`. */
  readonly preview: boolean;
  readonly json?: true;
}

export interface DrawCommandOptions extends OutputOptions, RewardSourceOptions, Partial<DrawSettings> {
  readonly seed?: number;
  readonly size?: { readonly width: number; readonly height: number };
  readonly aspect?: AspectName;
  readonly count?: number;
  /** Pictures that are drawn of each prompt, of which the best is kept. */
  readonly bestOf?: number;
  readonly by?: ChosenBy | RewardSpec;
  readonly think?: true;
  readonly thinkTokens?: number;
  readonly thinkTemperature?: number;
}

/** Where things are now that were elsewhere when the drawing began. */
export interface ResumeCommandOptions extends ModelOptions {
  readonly adapter?: readonly AdapterArgument[];
  readonly noise?: string;
  readonly previewFile?: string;
}

/** The library's options of a command line. */
export function drawOptionsOf(options: DrawCommandOptions): DrawOptions {
  const names = [...SETTING_NAMES, "seed", "size", "aspect", "count"] as const;
  const given = {
    ...Object.fromEntries(
      names.filter((name) => options[name] !== undefined).map((name) => [name, options[name]]),
    ),
    ...(options.bestOf === undefined ? {} : { count: options.bestOf }),
    ...adapterChoices(options.adapter),
  } as DrawOptions;
  if (options.think !== true) return given;
  const { thinkTokens: maxTokens, thinkTemperature: temperature } = options;
  const think: ThinkOptions = {
    ...(maxTokens === undefined ? {} : { maxTokens }),
    ...(temperature === undefined ? {} : { temperature }),
  };
  return { ...given, think };
}
