/** @file Plans the rest of a drawing that was interrupted: the same pictures, with the tokens that they have. */
import { ConfigError, DataFormatError, InputError } from "../errors.ts";
import { quoted } from "../formats/quoted.ts";
import { tokenWidth } from "../model/config.ts";
import { gridOf } from "../sequence/segments.ts";
import { floatBytes } from "../tensor/float-bytes.ts";
import { mixAgain } from "./adapter-mix.ts";
import type { Canvas } from "./canvas.ts";
import { checkSignal, type DrawOptions } from "./draw-options.ts";
import { type PlanContext, planScene, slotOf } from "./draw-plan.ts";
import type { DrawingPlan } from "./drawing.ts";
import { type DrawingJob, type JobPicture, jobCells } from "./drawing-job.ts";
import type { DrawingNote } from "./drawing-notes.ts";
import { DrawingOrder } from "./drawing-order.ts";
import { pixelsPerToken } from "./image-coder.ts";
import { canvasesOf } from "./keep.ts";
import { SharedRows } from "./prompt-rows.ts";
import type { Recipe } from "./recipe.ts";
import { keepAgain, spreadCells } from "./recipe-kept.ts";
import { differences } from "./repeat-plan.ts";
import { noiseDraws } from "./solvers.ts";
import { placeImages } from "./tagged-prompts.ts";
import { promptWith } from "./thinking.ts";
import { injectedNoise, seededNoise, type TokenNoise } from "./token-noise.ts";

/** What a job does not hold. */
export type ResumeOptions = Pick<DrawOptions, "noise" | "signal">;

const OPTION_NAMES: readonly string[] = ["noise", "signal"] satisfies (keyof ResumeOptions)[];

/**
 * @throws InputError when the job is of another model, or its noise is missing or other; DataFormatError when it does not
 * fit itself; ConfigError for options that would change the pictures.
 */
export async function planResume(
  context: PlanContext,
  job: DrawingJob,
  options: ResumeOptions,
): Promise<DrawingPlan> {
  const other = Object.keys(options).find((name) => !OPTION_NAMES.includes(name));
  if (other !== undefined) {
    throw new ConfigError(`${quoted(other)} is as the job says`, {
      where: "resume",
      remedy: `give ${OPTION_NAMES.join(", ")} alone, or use draw`,
    });
  }
  checkSignal(options.signal);
  await checkModel(context, job);
  checkGround(context, job);
  const { platform, folder } = context;
  const { grid, images, pictures } = job;
  const noise = await noiseOf(context, job, options);
  const shared = new SharedRows(images.map(({ tokens }) => tokens));
  const slots = await Promise.all(
    pictures.map(async (picture, index) => {
      const { recipe } = picture;
      const own = imagesOf(job, recipe);
      const sizes = own.map((image) => ({
        size: [images[image]?.height ?? 0, images[image]?.width ?? 0] as const,
      }));
      const tagged = placeImages([recipe.prompt], own.length)[0] ?? { caption: recipe.prompt, images: [] };
      const plain = planScene(
        context,
        { ...tagged, text: recipe.prompt },
        { options: recipe.settings, images: sizes, size: [recipe.height, recipe.width] },
      );
      const scene = { ...plain, prompt: promptWith(context, plain.prompt, recipe.thought) };
      return slotOf(scene, {
        rows: shared.of(scene.prompt, own, mixAgain(context.sessions.adapters, recipe.adapters)),
        canvas: await canvasOf(context, job, picture),
        noise: noise[index] as TokenNoise,
        name: `picture ${index + 1}`,
      });
    }),
  );
  return {
    platform,
    grid,
    signal: options.signal,
    ground: {
      grid,
      tokenWidth: tokenWidth(folder.config),
      images,
      ...(job.noise === undefined ? {} : { noise: job.noise }),
    },
    recipes: pictures.map(({ recipe }) => recipe),
    notes: await Promise.all(
      pictures.map(async ({ recipe, notes }) =>
        withoutRepeats([...(await differences(context, recipe)), ...notes]),
      ),
    ),
    slots,
  };
}

async function checkModel(context: PlanContext, { pictures }: DrawingJob): Promise<void> {
  const digest = await context.digest();
  const other = pictures.find(({ recipe }) => recipe.modelDigest !== digest);
  if (other === undefined) return;
  const here = quoted(context.folder.files.name);
  throw new InputError(
    `is a drawing of the model ${quoted(other.recipe.model)}, and ${here} is another one`,
    {
      where: "job",
      remedy: "open the model that began it: tokens of two models make no picture",
    },
  );
}

/** Pictures, grid, tokens and images of a job fit each other and the model. */
function checkGround({ folder, sessions }: PlanContext, job: DrawingJob): void {
  const width = tokenWidth(folder.config);
  const cells = jobCells(job);
  if (job.tokenWidth !== width) throw unfit(`tokens of ${job.tokenWidth} numbers, the model has ${width}`);
  if (job.pictures.length === 0) throw unfit("no pictures");
  const side = pixelsPerToken(sessions);
  for (const { sha256, width: across, height, tokens } of job.images) {
    const [rows, columns] = gridOf([height, across], `image ${sha256.slice(0, 8)}`, side);
    if (tokens.length !== rows * columns * width) throw unfit("an image with too few or too many tokens");
    if (!tokens.every(Number.isFinite)) throw unfit("an image with numbers that are not finite");
  }
  for (const { recipe, tokens } of job.pictures) {
    const [rows, columns] = gridOf([recipe.height, recipe.width], "job", side);
    if (rows !== job.grid[0] || columns !== job.grid[1]) throw unfit("pictures of several sizes");
    if (tokens.length % width !== 0 || tokens.length > cells * width) throw unfit("tokens of no cell");
  }
}

/** Which of the job's images are the picture's own, in its order. */
function imagesOf({ images }: DrawingJob, { images: own = [] }: Recipe): number[] {
  return own.map(({ sha256, width, height }) => {
    const found = images.findIndex(
      (image) => image.sha256 === sha256 && image.width === width && image.height === height,
    );
    if (found < 0) throw unfit("no tokens of an image that a picture refers to");
    return found;
  });
}

async function canvasOf(
  { platform }: PlanContext,
  { grid, tokenWidth: width }: DrawingJob,
  { recipe, kept, tokens }: JobPicture,
): Promise<Canvas> {
  const size = { count: grid[0] * grid[1], width };
  if ((recipe.kept?.cells.at(-1)?.[1] ?? 0) > size.count) throw unfit("kept tokens of no cell");
  const given = recipe.kept && kept && spreadCells(recipe.kept.cells, kept, size);
  const order = new DrawingOrder(grid, recipe.settings.rowLag);
  const keep = recipe.kept && (await keepAgain(recipe.kept, given, size, platform));
  const canvas = canvasesOf(keep, 1, grid, width, [order])[0] as Canvas;
  for (let turn = 0; turn * width < tokens.length; turn++) {
    canvas.force(order.cellAt(turn), tokens.subarray(turn * width, (turn + 1) * width));
  }
  return canvas;
}

async function noiseOf(
  { platform }: PlanContext,
  job: DrawingJob,
  { noise }: ResumeOptions,
): Promise<readonly TokenNoise[]> {
  const { pictures } = job;
  if (job.noise === undefined) {
    if (noise === undefined) return pictures.map(({ recipe }) => seededNoise(recipe.seed));
    throw new InputError("was drawn with the noise of its seeds", { where: "job", remedy: "give no noise" });
  }
  if (noise === undefined || (await platform.sha256(floatBytes(noise.data))) !== job.noise) {
    const reason =
      noise === undefined
        ? "was drawn with noise that was given"
        : "the noise is not the one it was drawn with";
    throw new InputError(reason, { where: "job", remedy: "give the same noise" });
  }
  const draws = pictures.map(({ recipe: { settings } }) => noiseDraws(settings.sampler, settings.steps));
  const expected = {
    pictures: pictures.length,
    tokens: jobCells(job),
    draws: Math.max(...draws),
    width: job.tokenWidth,
  };
  return injectedNoise(noise, expected);
}

/** A job that is resumed a second time has the notes of the first. */
function withoutRepeats(notes: readonly DrawingNote[]): readonly DrawingNote[] {
  return notes.filter(({ text }, index) => notes.findIndex((note) => note.text === text) === index);
}

function unfit(reason: string): DataFormatError {
  return new DataFormatError(`holds ${reason}`, { where: "job", remedy: "draw anew from its recipe" });
}
