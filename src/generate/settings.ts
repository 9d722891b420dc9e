/** @file What a drawing can be told: settings, what each may be, and the published values of each release. */

import { ConfigError, InputError } from "../errors.ts";
import { isWholeNumber } from "../formats/json-value.ts";
import { printable } from "../formats/quoted.ts";
import type { Release } from "../model/config.ts";
import { CFG_SCHEDULES, type CfgSchedule } from "./guidance.ts";
import { DEFAULT_NOISE_LEVEL, MAX_STEPS, SAMPLER_NAMES, type SamplerName } from "./solvers.ts";
import { STEP_SCHEDULES, type StepSchedule } from "./step-schedule.ts";

/** Widest guidance scale: beyond it, tokens leave all that the model was trained on. */
export const MAX_GUIDANCE = 100;
/** Widest timestep shift, and its inverse the narrowest. */
export const MAX_SHIFT = 1000;
export const MAX_NOISE_LEVEL = 10;
/** Widest lag between rows: no picture has more tokens in a row. */
export const MAX_LAG = 1024;

/** Everything that decides a picture besides prompt, images, size and seed. Defaults are those of the open model. */
export interface DrawSettings {
  /** Scale of guidance away from the negative prompt, 0 to 100; 1 draws without guidance. */
  readonly cfg: number;
  /** With input images: scale of guidance towards them, 0 to 100; 1 leaves it out. */
  readonly cfgImg: number;
  /** How the scales go along the tokens: the same for all, or rising to their full value. */
  readonly cfgSchedule: CfgSchedule;
  /** Share of the tokens that are guided, from the first one on, above 0 to 1: the others cost half. */
  readonly cfgUntil: number;
  /** Solver steps for each token, 1 to {@link MAX_STEPS}. */
  readonly steps: number;
  /** Solver steps of the last token, if steps are to fall along the tokens: 1 to `steps`. null: all have `steps`. */
  readonly lastSteps: number | null;
  /** How the steps fall to `lastSteps`. */
  readonly stepSchedule: StepSchedule;
  /**
   * Tokens by which a row of the picture is ahead of the next one, from 1: rows are then drawn staggered, several at once.
   * null: one after another.
   */
  readonly rowLag: number | null;
  /** Timestep shift, 0.001 to 1000: above 1 spends more of the steps near the noise. */
  readonly shift: number;
  readonly sampler: SamplerName;
  /** Noise of the samplers `sde` and `cps`, 0 to 10. */
  readonly noiseLevel: number;
  /** Normalise each token: a setting of the first release. */
  readonly useNorm: boolean;
  /** Added behind the prompt. */
  readonly positive: string;
  /** What guidance leads away from. */
  readonly negative: string;
}

const NEGATIVE =
  "lowres, bad anatomy, bad hands, text, error, missing fingers, extra digit, fewer digits, cropped, worst quality, " +
  "low quality, normal quality, jpeg artifacts, signature, watermark, username, blurry.";

/** The published pipelines' own defaults, which a model with settings in its folder builds upon. */
export const PLAIN_SETTINGS: DrawSettings = {
  cfg: 1,
  cfgImg: 1,
  cfgSchedule: "constant",
  cfgUntil: 1,
  steps: 20,
  lastSteps: null,
  stepSchedule: "linear",
  rowLag: null,
  shift: 1,
  sampler: "sde",
  noiseLevel: DEFAULT_NOISE_LEVEL,
  useNorm: false,
  positive: "",
  negative: "",
};

const FIRST_RELEASE: DrawSettings = {
  ...PLAIN_SETTINGS,
  cfg: 7.5,
  steps: 50,
  sampler: "v1",
  useNorm: true,
  positive: "masterpiece, film grained, best quality.",
  negative: NEGATIVE,
};

const SECOND_RELEASE: DrawSettings = { ...PLAIN_SETTINGS, cfg: 7.5, steps: 28, negative: NEGATIVE };

/** What editing changes: the picture guides too, and the prompt away from which it leads asks for no change. */
const EDITING = { cfgImg: 2, positive: "", negative: "Copy original image." } as const;

/** Settings of the official examples (docs/nextstep-spec.md 3.7), where there are none for editing those of the release. */
export function publishedSettings(release: Release, editing: boolean): DrawSettings {
  const settings = release === "v1" ? FIRST_RELEASE : SECOND_RELEASE;
  if (!editing) return settings;
  return { ...settings, ...EDITING, shift: release === "v1" ? 3.2 : settings.shift };
}

const isText = (value: unknown): boolean => typeof value === "string";

interface Check {
  readonly accepts: (value: unknown) => boolean;
  /** What is allowed, to follow "use". */
  readonly allowed: string;
}

const between = (least: number, most: number, note = ""): Check => ({
  accepts: (value) => typeof value === "number" && value >= least && value <= most,
  allowed: `a number from ${least} to ${most}${note}`,
});

const oneOf = (names: readonly string[]): Check => ({
  accepts: (value) => names.some((name) => name === value),
  allowed: `one of ${names.join(", ")}`,
});

const CHECKS: { readonly [Key in keyof DrawSettings]: Check } = {
  cfg: between(0, MAX_GUIDANCE, ", 1 for no guidance"),
  cfgImg: between(0, MAX_GUIDANCE, ", 1 for no guidance by images"),
  cfgSchedule: oneOf(CFG_SCHEDULES),
  cfgUntil: {
    accepts: (value) => typeof value === "number" && value > 0 && value <= 1,
    allowed: "a number above 0, up to 1",
  },
  steps: {
    accepts: (value) => isWholeNumber(value, 1, MAX_STEPS),
    allowed: `a whole number from 1 to ${MAX_STEPS}`,
  },
  lastSteps: {
    accepts: (value) => value === null || isWholeNumber(value, 1, MAX_STEPS),
    allowed: `a whole number from 1 to ${MAX_STEPS}, or null`,
  },
  stepSchedule: oneOf(STEP_SCHEDULES),
  rowLag: {
    accepts: (value) => value === null || isWholeNumber(value, 1, MAX_LAG),
    allowed: `a whole number from 1 to ${MAX_LAG}, or null`,
  },
  shift: between(1 / MAX_SHIFT, MAX_SHIFT, ", 1 for no shift"),
  sampler: oneOf(SAMPLER_NAMES),
  noiseLevel: between(0, MAX_NOISE_LEVEL),
  useNorm: { accepts: (value) => typeof value === "boolean", allowed: "true or false" },
  positive: { accepts: isText, allowed: "a text" },
  negative: { accepts: isText, allowed: "a text" },
};

export const SETTING_NAMES = Object.keys(CHECKS) as readonly (keyof DrawSettings)[];

/**
 * The settings among the given values; keys that are no settings are passed over, undefined ones left out.
 * @param place prefix of the setting's name in errors
 * @throws ConfigError naming the first setting that does not fit, and what it may be.
 */
export function pickSettings(given: Readonly<Record<string, unknown>>, place = ""): Partial<DrawSettings> {
  const picked = SETTING_NAMES.filter((name) => given[name] !== undefined).map((name) => {
    const { accepts, allowed } = CHECKS[name];
    if (!accepts(given[name])) {
      throw new ConfigError(`${describe(given[name])} is not allowed`, {
        where: place + name,
        remedy: `use ${allowed}`,
      });
    }
    return [name, given[name]];
  });
  return Object.fromEntries(picked);
}

/** A value as it stands in an error message, cut short. */
export function describe(value: unknown): string {
  const text = typeof value === "string" ? JSON.stringify(value) : String(value);
  return printable(text.length > 60 ? `${text.slice(0, 57)}...` : text);
}

/** Longest side of a picture in pixels: beyond it, sizes are mistakes, and their tokens alone fill the memory. */
export const MAX_SIDE = 16384;

/** Seeds are whole numbers that JSON and JavaScript hold exactly. */
export const MAX_SEED = Number.MAX_SAFE_INTEGER;

/** @throws InputError unless `seed` and the `pictures - 1` seeds after it are whole numbers up to {@link MAX_SEED}. */
export function checkSeed(seed: number, pictures: number): number {
  if (!Number.isInteger(seed) || seed < 0 || seed > MAX_SEED - (pictures - 1)) {
    throw new InputError(`${describe(seed)} is not a seed`, {
      where: "seed",
      remedy: `use a whole number from 0 to ${MAX_SEED}`,
    });
  }
  return seed;
}
