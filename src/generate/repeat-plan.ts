/** @file Plans the picture of a recipe once more: the same prompt, images, kept tokens, settings and seed, or a refusal by name. */
import { ConfigError, InputError } from "../errors.ts";
import { quoted } from "../formats/quoted.ts";
import { tokenWidth } from "../model/config.ts";
import { mixAgain } from "./adapter-mix.ts";
import type { DrawOptions } from "./draw-options.ts";
import { type PlanContext, planDrawing } from "./draw-plan.ts";
import type { DrawingPlan } from "./drawing.ts";
import type { DrawingNote } from "./drawing-notes.ts";
import { pixelsPerToken } from "./image-coder.ts";
import type { SizedImage } from "./input-images.ts";
import { checkRecipe, type Recipe } from "./recipe.ts";
import { keepAgain } from "./recipe-kept.ts";

/** What a recipe names but does not hold, and the signal. */
export type AgainOptions = Pick<DrawOptions, "images" | "noise" | "keep" | "signal">;

const OPTION_NAMES: readonly string[] = ["images", "noise", "keep", "signal"];

/**
 * @throws DataFormatError for what is no recipe; InputError when its images, noise or kept tokens are missing or others;
 * ConfigError for options that would change the picture.
 */
export async function planAgain(
  context: PlanContext,
  given: Recipe,
  options: AgainOptions,
): Promise<DrawingPlan> {
  const recipe = checkRecipe(given, "recipe");
  const other = Object.keys(options).find((name) => !OPTION_NAMES.includes(name));
  if (other !== undefined) {
    throw new ConfigError(`${quoted(other)} is as the recipe says`, {
      where: "again",
      remedy: `give ${OPTION_NAMES.join(", ")} alone, or use draw`,
    });
  }
  const { prompt, seed, width, height, settings, images = [], kept, thought, adapters } = recipe;
  const mix = mixAgain(context.sessions.adapters, adapters);
  if (recipe.injectedNoise === true && options.noise === undefined) {
    throw refuse("was drawn with noise that was given", "give the same noise");
  }
  if (images.length !== (options.images?.length ?? 0)) {
    throw refuse(
      images.length === 0 ? "was drawn without input images" : `needs its ${images.length} input images`,
      images.length === 0 ? "give none" : "give the same images, in the same order",
    );
  }
  if (kept === undefined && options.keep !== undefined) {
    throw refuse("was drawn without kept tokens", "give none, or use draw");
  }
  const side = pixelsPerToken(context.sessions);
  const size = { count: (height / side) * (width / side), width: tokenWidth(context.folder.config) };
  const keep = kept && (await keepAgain(kept, options.keep, size, context.platform));
  const plan = await planDrawing(
    context,
    [prompt],
    {
      ...settings,
      seed,
      size: { width, height },
      ...(options.images === undefined ? {} : { images: options.images }),
      ...(options.noise === undefined ? {} : { noise: options.noise }),
      ...(options.signal === undefined ? {} : { signal: options.signal }),
      ...(keep === undefined ? {} : { keep }),
    },
    {
      images: {
        sizes: images.map((image) => [image.height, image.width]),
        check: (read) => checkImages(images, read),
      },
      ...(thought === undefined ? {} : { thought }),
      ...(mix === undefined ? {} : { adapters: mix }),
    },
  );
  const notes = await differences(context, recipe);
  return { ...plan, notes: plan.notes.map((own) => [...notes, ...own]) };
}

function checkImages(expected: NonNullable<Recipe["images"]>, images: readonly SizedImage[]): void {
  const other = expected.findIndex(({ sha256 }, index) => images[index]?.sha256 !== sha256);
  if (other >= 0) {
    throw refuse(
      `image ${other + 1} is not the one it was drawn from`,
      "give the same images, in the same order",
    );
  }
}

/** In what this drawing is not the one of the recipe, though it can be drawn. */
export async function differences(context: PlanContext, recipe: Recipe): Promise<readonly DrawingNote[]> {
  const { name } = context.folder.files;
  const notes: DrawingNote[] = [];
  const { modelDigest, threads } = recipe;
  const sameModel =
    modelDigest === undefined ? recipe.model === name : modelDigest === (await context.digest());
  if (!sameModel) {
    const was = quoted(recipe.model);
    const text =
      recipe.model === name
        ? `the recipe is of another model that was called ${was} too; the picture will be another one`
        : `the recipe is of the model ${was}, this one is ${quoted(name)}; the picture will be another one`;
    notes.push({ kind: "model", text });
  }
  if (threads !== undefined && threads !== context.threads) {
    const text =
      `the picture was drawn with ${threads} threads and is drawn again with ${context.threads}, ` +
      "which may round otherwise: pixel values may differ by 1 of 255";
    notes.push({ kind: "threads", text });
  }
  return notes;
}

function refuse(reason: string, remedy: string): InputError {
  return new InputError(reason, { where: "recipe", remedy });
}
