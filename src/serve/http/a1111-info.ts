/** @file `info` of the AUTOMATIC1111 family: what was really drawn with, as that program writes it. */
import { parametersText } from "../../generate/picture.ts";
import type { Recipe } from "../../generate/recipe.ts";
import type { GalleryEntry } from "../contract/gallery.ts";
import { SCHEDULER } from "./a1111-fields.ts";

/**
 * JSON in a string, as the family's clients parse it.
 * @param notes what was asked for and could not be done
 */
export function infoText(
  entries: readonly GalleryEntry[],
  { version, notes }: { readonly version: string; readonly notes: readonly string[] },
): string {
  const recipes = entries.map(({ recipe }) => recipe);
  const [first] = recipes;
  if (first === undefined) return "{}";
  const { settings, prompt, seed, model } = first;
  const [entry] = entries as [GalleryEntry];
  const seeds = recipes.map((recipe) => recipe.seed);
  return JSON.stringify({
    prompt,
    all_prompts: recipes.map((recipe) => recipe.prompt),
    negative_prompt: settings.negative,
    all_negative_prompts: recipes.map((recipe) => recipe.settings.negative),
    seed,
    all_seeds: seeds,
    subseed: seed,
    all_subseeds: seeds,
    subseed_strength: 0,
    width: entry.width,
    height: entry.height,
    sampler_name: settings.sampler,
    cfg_scale: settings.cfg,
    steps: settings.steps,
    batch_size: entries.length,
    restore_faces: false,
    face_restoration_model: null,
    sd_model_name: model,
    sd_model_hash: first.modelDigest?.slice(0, 10) ?? null,
    sd_vae_name: null,
    sd_vae_hash: null,
    seed_resize_from_w: -1,
    seed_resize_from_h: -1,
    denoising_strength: null,
    extra_generation_params: extraParameters(first, entry),
    index_of_first_image: 0,
    infotexts: entries.map((one) => parametersText(one.recipe, one)),
    styles: [],
    job_timestamp: timestamp(entry.created),
    clip_skip: 1,
    is_using_inpainting_conditioning: false,
    version: `nextstep ${version}`,
    notes: [...notes, ...entries.flatMap((one) => one.notes.map(({ text }) => text))],
  });
}

function extraParameters({ settings, width, height }: Recipe, entry: GalleryEntry): Record<string, unknown> {
  return {
    "Schedule type": `${SCHEDULER}=${settings.shift}`,
    "Image CFG scale": settings.cfgImg,
    ...(width === entry.width && height === entry.height ? {} : { "Native size": `${width}x${height}` }),
  };
}

/** As that program has it: 20261129143000. */
function timestamp(seconds: number): string {
  return new Date(seconds * 1000).toISOString().replaceAll(/\D/g, "").slice(0, 14);
}
