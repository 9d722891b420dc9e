/** @file Requests of the AUTOMATIC1111 family: its fields, what they mean here, and which are refused. */
import { z } from "zod";
import { fromBase64 } from "../../formats/base64.ts";
import { MAX_GUIDANCE, MAX_SEED, MAX_SIDE } from "../../generate/settings.ts";
import { MAX_STEPS, SAMPLER_NAMES, type SamplerName } from "../../generate/solvers.ts";
import type { ServedModel } from "../contract/served-model.ts";
import { ApiError, invalidRequest } from "./api-error.ts";
import { checkModel } from "./served-models.ts";

/** Names that users of that family know samplers by, which step alike. */
export const SAMPLER_ALIASES: Readonly<Partial<Record<SamplerName, readonly string[]>>> = {
  ode: ["Euler", "k_euler", "euler"],
  sde: ["Euler a", "k_euler_a", "euler_a"],
};

/** The one way in which time points are spread: by the constant timestep shift. */
export const SCHEDULER = "constant shift";
const SCHEDULER_NAMES: readonly string[] = [SCHEDULER, "Automatic", "automatic", "default", ""];

const anything = z.unknown().optional();
/** Of features that this model does not have: taken as long as they are switched off. */
const mustBeOff = z.unknown().optional();

const OFF_FIELDS = {
  enable_hr: mustBeOff,
  restore_faces: mustBeOff,
  tiling: mustBeOff,
  styles: mustBeOff,
  subseed_strength: mustBeOff,
  script_name: mustBeOff,
  script_args: mustBeOff,
  alwayson_scripts: mustBeOff,
  refiner_checkpoint: mustBeOff,
  inpaint_full_res: mustBeOff,
  firstpass_image: mustBeOff,
} as const;

/** What the family's clients send along, and what has no meaning without the features above, or none for a picture. */
const IGNORED_FIELDS = {
  subseed: anything,
  seed_resize_from_h: anything,
  seed_resize_from_w: anything,
  do_not_save_samples: anything,
  do_not_save_grid: anything,
  save_images: anything,
  eta: anything,
  s_churn: anything,
  s_min_uncond: anything,
  s_noise: anything,
  s_tmax: anything,
  s_tmin: anything,
  clip_skip: anything,
  override_settings_restore_afterwards: anything,
  refiner_switch_at: anything,
  disable_extra_networks: anything,
  comments: anything,
  denoising_strength: z.number().min(0).max(1).optional().meta({
    description: "Has no counterpart: what is drawn, is drawn anew. `info` says so.",
  }),
  firstphase_height: anything,
  firstphase_width: anything,
  hr_scale: anything,
  hr_upscaler: anything,
  hr_second_pass_steps: anything,
  hr_resize_x: anything,
  hr_resize_y: anything,
  hr_prompt: anything,
  hr_negative_prompt: anything,
  hr_checkpoint_name: anything,
  hr_sampler_name: anything,
  hr_scheduler: anything,
  hr_cfg: anything,
  hr_additional_modules: anything,
  force_task_id: anything,
  sampler_index: z.string().optional(),
} as const;

const side = z.int().min(1).max(MAX_SIDE).optional();

const COMMON_FIELDS = {
  prompt: z.string().default(""),
  negative_prompt: z.string().optional(),
  seed: z.int().min(-1).max(MAX_SEED).default(-1).meta({ description: "-1: at random." }),
  steps: z.int().min(1).max(MAX_STEPS).optional(),
  cfg_scale: z.number().min(0).max(MAX_GUIDANCE).optional(),
  width: side,
  height: side,
  batch_size: z.int().min(1).default(1),
  n_iter: z.int().min(1).default(1),
  sampler_name: z.string().optional(),
  scheduler: z.string().optional(),
  send_images: z.boolean().default(true),
  override_settings: z.record(z.string(), z.unknown()).default({}),
  ...OFF_FIELDS,
  ...IGNORED_FIELDS,
};

export const txt2imgFields = z.strictObject(COMMON_FIELDS);

export const img2imgFields = z.strictObject({
  ...COMMON_FIELDS,
  init_images: z.array(z.string()).min(1).max(16).meta({ description: "Pictures in base64." }),
  mask: z.string().optional().meta({ description: "A picture in base64: what is white is drawn anew." }),
  inpainting_mask_invert: z.union([z.int(), z.boolean()]).default(0).meta({
    description: "1: what is black is drawn anew.",
  }),
  image_cfg_scale: z.number().min(0).max(MAX_GUIDANCE).optional(),
  resize_mode: anything,
  mask_blur: anything,
  mask_blur_x: anything,
  mask_blur_y: anything,
  mask_round: anything,
  inpainting_fill: anything,
  inpaint_full_res_padding: anything,
  initial_noise_multiplier: anything,
  latent_mask: mustBeOff,
  include_init_images: anything,
});

export type CommonFields = z.output<typeof txt2imgFields>;

/** @throws ApiError for a feature that is asked for and is not there. */
export function refuseFeatures(fields: Readonly<Record<string, unknown>>): void {
  const asked = [...Object.keys(OFF_FIELDS), "latent_mask"].find((name) => isOn(fields[name]));
  if (asked === undefined) return;
  throw invalidRequest(`Unsupported parameter: '${asked}' is not something that this model does.`, {
    param: asked,
    code: "unsupported_parameter",
  });
}

function isOn(value: unknown): boolean {
  if (value === undefined || value === null || value === false || value === 0 || value === "") return false;
  if (value === "None" || value === "none") return false;
  return typeof value === "object" ? Object.keys(value).length > 0 : true;
}

/** @throws ApiError of status 404, as there, for a sampler or a scheduler that is not known. */
export function samplerOf({ sampler_name, sampler_index, scheduler }: CommonFields): SamplerName | undefined {
  if (scheduler !== undefined && !SCHEDULER_NAMES.includes(scheduler)) {
    throw unknownName("Scheduler", "scheduler", SCHEDULER);
  }
  const name = sampler_name ?? sampler_index;
  if (name === undefined || name === "" || name === "Automatic") return undefined;
  const found = SAMPLER_NAMES.find(
    (known) => known === name || SAMPLER_ALIASES[known]?.includes(name) === true,
  );
  if (found !== undefined) return found;
  throw unknownName("Sampler", "sampler_name", SAMPLER_NAMES.join(", "));
}

function unknownName(kind: string, param: string, known: string): ApiError {
  return new ApiError(404, `${kind} not found: there are ${known}.`, { param, code: "not_found" });
}

/** Settings of the program that a request or `/sdapi/v1/options` may set: the model to the one that is served. */
const HARMLESS_OPTIONS: ReadonlySet<string> = new Set([
  "CLIP_stop_at_last_layers",
  "sd_vae",
  "samples_format",
  "samples_save",
  "grid_save",
  "eta_noise_seed_delta",
  "forge_additional_modules",
]);

/** @throws ApiError for an option that is not known, and a model that is not served. */
export function checkOptions(options: Readonly<Record<string, unknown>>, model: ServedModel): void {
  for (const [name, value] of Object.entries(options)) {
    if (HARMLESS_OPTIONS.has(name) || value === null) continue;
    if (name !== "sd_model_checkpoint" || typeof value !== "string") {
      throw invalidRequest(`Unknown option: '${name.slice(0, 60)}'.`, {
        param: name.slice(0, 60),
        code: "unknown_parameter",
      });
    }
    checkModel(value, model);
  }
}

/** @throws ApiError for text that is no base64. */
export function decodedPicture(text: string, param: string): Uint8Array {
  // A data URI, as browsers have pictures.
  const bytes = fromBase64(text.replace(/^data:[\w.+/-]{1,100};base64,/, "").trim());
  if (bytes !== undefined) return bytes;
  throw invalidRequest(`Invalid picture in '${param}': it is not base64.`, { param, code: "invalid_image" });
}
