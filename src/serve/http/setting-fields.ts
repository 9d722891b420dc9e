/** @file Settings of a drawing as fields of a request: their names in snake_case, and the names that other servers use. */
import { z } from "zod";
import { ConfigError } from "../../errors.ts";
import { CFG_SCHEDULES } from "../../generate/guidance.ts";
import {
  type DrawSettings,
  MAX_GUIDANCE,
  MAX_LAG,
  MAX_NOISE_LEVEL,
  MAX_SHIFT,
  pickSettings,
} from "../../generate/settings.ts";
import { MAX_STEPS, SAMPLER_NAMES } from "../../generate/solvers.ts";
import { STEP_SCHEDULES } from "../../generate/step-schedule.ts";
import { invalidRequest } from "./api-error.ts";

const guidance = z.number().min(0).max(MAX_GUIDANCE).optional();
const steps = z.int().min(1).max(MAX_STEPS).optional();
const shift = z
  .number()
  .min(1 / MAX_SHIFT)
  .max(MAX_SHIFT)
  .optional();
const words = z.string().optional();

/** Fields by their own names. What is left out is the model's affair. */
const OWN_FIELDS = {
  cfg: guidance.meta({ description: "Scale of guidance; 1 draws without." }),
  cfg_img: guidance.meta({ description: "Scale of guidance towards input images." }),
  cfg_schedule: z.enum(CFG_SCHEDULES).optional(),
  cfg_until: z.number().gt(0).max(1).optional().meta({ description: "Share of the tokens that are guided." }),
  steps: steps.meta({ description: "Solver steps of a token." }),
  last_steps: steps.meta({ description: "Solver steps of the last token." }),
  step_schedule: z.enum(STEP_SCHEDULES).optional(),
  row_lag: z.int().min(1).max(MAX_LAG).optional().meta({ description: "Draws rows staggered." }),
  shift: shift.meta({ description: "Timestep shift." }),
  sampler: z.enum(SAMPLER_NAMES).optional(),
  noise_level: z.number().min(0).max(MAX_NOISE_LEVEL).optional(),
  use_norm: z.boolean().optional(),
  positive: words.meta({ description: "Added behind the prompt." }),
  negative: words.meta({ description: "What guidance leads away from." }),
} as const;

const SETTING_OF_FIELD = {
  cfg: "cfg",
  cfg_img: "cfgImg",
  cfg_schedule: "cfgSchedule",
  cfg_until: "cfgUntil",
  steps: "steps",
  last_steps: "lastSteps",
  step_schedule: "stepSchedule",
  row_lag: "rowLag",
  shift: "shift",
  sampler: "sampler",
  noise_level: "noiseLevel",
  use_norm: "useNorm",
  positive: "positive",
  negative: "negative",
} as const satisfies Record<keyof typeof OWN_FIELDS, keyof DrawSettings>;

/** Names by which other servers have the same. */
const OTHER_FIELDS = {
  guidance_scale: OWN_FIELDS.cfg,
  true_cfg_scale: OWN_FIELDS.cfg,
  num_sampling_steps: OWN_FIELDS.steps,
  num_inference_steps: OWN_FIELDS.steps,
  timesteps_shift: OWN_FIELDS.shift,
  positive_prompt: OWN_FIELDS.positive,
  negative_prompt: OWN_FIELDS.negative,
} as const;

const OWN_OF_OTHER = {
  guidance_scale: "cfg",
  true_cfg_scale: "cfg",
  num_sampling_steps: "steps",
  num_inference_steps: "steps",
  timesteps_shift: "shift",
  positive_prompt: "positive",
  negative_prompt: "negative",
} as const satisfies Record<keyof typeof OTHER_FIELDS, keyof typeof OWN_FIELDS>;

export const SETTING_FIELDS = { ...OWN_FIELDS, ...OTHER_FIELDS };

type SettingField = keyof typeof SETTING_OF_FIELD;
type OtherField = keyof typeof OWN_OF_OTHER;

/**
 * The settings among the fields of a request.
 * @throws ApiError where two names of one setting contradict each other, or a value does not fit.
 */
export function settingsOf(fields: Readonly<Record<string, unknown>>): Partial<DrawSettings> {
  const given = new Map<SettingField, { readonly name: string; readonly value: unknown }>();
  for (const name of [...Object.keys(OWN_OF_OTHER), ...Object.keys(SETTING_OF_FIELD)]) {
    const value = fields[name];
    if (value === undefined) continue;
    const own = name in OWN_OF_OTHER ? OWN_OF_OTHER[name as OtherField] : (name as SettingField);
    const other = given.get(own);
    if (other !== undefined && other.value !== value) {
      throw invalidRequest(`'${other.name}' and '${name}' are two names of one setting: give one of them.`, {
        param: name,
        code: "invalid_value",
      });
    }
    given.set(own, { name, value });
  }
  const settings = Object.fromEntries(
    Array.from(given, ([own, { value }]) => [SETTING_OF_FIELD[own], value]),
  );
  try {
    return pickSettings(settings);
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    throw invalidRequest(error.message, { code: "invalid_value", cause: error });
  }
}

/** Settings as fields, for answers. */
export function settingFields(settings: Readonly<Record<string, unknown>>): Record<string, unknown> {
  return Object.fromEntries(
    Object.entries(SETTING_OF_FIELD).flatMap(([field, name]) =>
      settings[name] === undefined ? [] : [[field, settings[name]]],
    ),
  );
}
