/** @file Settles all of a drawing before its first token: images, prompts, settings, canvases, noise, recipes and notes. */
import type { ModelFolder } from "../checkpoint/model-folder.ts";
import { namedSize } from "../image/aspect-buckets.ts";
import type { ImageSize } from "../image/pixels.ts";
import { tokenWidth } from "../model/config.ts";
import { buildPromptRows, type Prompt } from "../sequence/prompt.ts";
import { gridOf } from "../sequence/segments.ts";
import type { TextTokenizer } from "../sequence/tokenizer.ts";
import { floatBytes } from "../tensor/float-bytes.ts";
import { type AdapterMix, describeMix, mixOf } from "./adapter-mix.ts";
import type { Canvas } from "./canvas.ts";
import type { DefaultSettings } from "./default-settings.ts";
import { checkDrawOptions, DEFAULT_COUNT, type DrawOptions, RANDOM_SEEDS } from "./draw-options.ts";
import type { DrawingPlan, PlanWatch } from "./drawing.ts";
import { notesOn } from "./drawing-notes.ts";
import { DrawingOrder } from "./drawing-order.ts";
import type { Guidance } from "./guidance.ts";
import { pixelsPerToken } from "./image-coder.ts";
import { encodeInputImages, readInputImages, type SizedImage, trainedSide } from "./input-images.ts";
import { canvasesOf } from "./keep.ts";
import type { DrawingMemory } from "./memory-estimate.ts";
import type { ModelSessions } from "./model-sessions.ts";
import type { Platform } from "./platform.ts";
import { checkPositions, checkTextLength } from "./position-limit.ts";
import { SharedRows } from "./prompt-rows.ts";
import { ADAPTED_RECIPE_VERSION, RECIPE_VERSION, type Recipe } from "./recipe.ts";
import { describeKept } from "./recipe-kept.ts";
import { type DrawSettings, pickSettings } from "./settings.ts";
import { Slot, type SlotRequest } from "./slot.ts";
import { noiseDraws } from "./solvers.ts";
import { placeImages, type TaggedPrompt, withoutTags } from "./tagged-prompts.ts";
import { thinkOptions } from "./think-options.ts";
import { checkThinking, promptWith, thinkOf, thoughtNotes } from "./thinking.ts";
import type { Thought } from "./thought.ts";
import { injectedNoise, seededNoise, type TokenNoise } from "./token-noise.ts";
import { type TrainedOn, trainedBeside } from "./trained-on.ts";

/** What an open model gives to its drawings. */
export interface PlanContext {
  readonly platform: Platform;
  readonly folder: ModelFolder;
  readonly sessions: ModelSessions;
  readonly tokenizer: TextTokenizer;
  readonly defaults: DefaultSettings;
  readonly trained: TrainedOn;
  /** Of its engine. */
  readonly threads: number;
  /** Of the model; worked out once. */
  digest(): Promise<string>;
  /** @throws InsufficientMemoryError */
  refuseTooLarge(drawing: DrawingMemory): void;
}

/** What a picture that is drawn again demands of its images. */
export interface ImageDemands {
  /** To which each is brought. */
  readonly sizes: readonly ImageSize[];
  /** Told the images before they are encoded; throws if they are others. */
  check(images: readonly SizedImage[]): void;
}

/** What a plan is made with besides options. */
export interface PlanSurroundings {
  readonly watch?: PlanWatch;
  /** Of a picture that is drawn again. */
  readonly images?: ImageDemands;
  /** Of a picture that is drawn again: it does not think anew. */
  readonly thought?: Thought;
  /** Of a picture that is drawn again. */
  readonly adapters?: AdapterMix;
}

/** A prompt with all that is its own, whatever else is drawn along with it. */
export interface Scene extends TaggedPrompt {
  /** As it was given. */
  readonly text: string;
  readonly settings: DrawSettings;
  readonly prompt: Prompt;
}

/**
 * @throws InputError or ConfigError for options that do not fit, before any weight is read; InsufficientMemoryError before
 * images are encoded and thoughts written.
 */
export async function planDrawing(
  context: PlanContext,
  captions: readonly string[],
  options: DrawOptions,
  { watch, images: demands, thought: known, adapters }: PlanSurroundings = {},
): Promise<DrawingPlan> {
  checkDrawOptions(captions, options);
  const mix = adapters ?? mixOf(context.sessions.adapters, options.adapters ?? []);
  const { platform, folder, sessions, threads } = context;
  const trained = trainedBeside(
    context.trained,
    mix?.parts.map(({ adapter }) => adapter.trained ?? {}) ?? [],
  );
  const { count = DEFAULT_COUNT, signal, images: given = [] } = options;
  const asked = askedSize(options, sessions);
  const images = await readInputImages(platform, sessions, given, { files: asked, each: demands?.sizes });
  demands?.check(images);
  const size = asked ?? images[0]?.size ?? [trainedSide(sessions), trainedSide(sessions)];
  const scenes = placeImages(captions, images.length).map((tagged, index) =>
    planScene(context, { ...tagged, text: captions[index] as string }, { options, images, size }),
  );
  const think = thinkOptions(options.think);
  if (think !== undefined) {
    checkThinking(
      context,
      scenes.map(({ prompt }) => prompt),
      think,
    );
  }
  const grid = gridOf(size, "size", pixelsPerToken(sessions));
  const plain = scenes.flatMap((scene) => Array.from({ length: count }, (_, copy) => ({ scene, copy })));
  const width = tokenWidth(folder.config);
  const orders = plain.map(({ scene: { settings } }) => new DrawingOrder(grid, settings.rowLag));
  const canvases = canvasesOf(options.keep, plain.length, grid, width, orders);
  const rows = plain.flatMap(({ scene }) => scene.prompt.rows);
  context.refuseTooLarge({
    grid,
    pictures: plain.length,
    rows: rows.length,
    promptTokens: Math.max(...rows.map(({ ids }) => ids.length)),
    // One that is cut has its end marker beyond the limit.
    writtenTokens: think === undefined ? 0 : think.maxTokens + 1,
    images: images.map((image) => image.size),
  });
  const tokens = await encodeInputImages(sessions, images, watch?.signal ?? signal);
  const seed = options.seed ?? Math.floor(Math.random() * RANDOM_SEEDS);
  const seeds = plain.map(({ copy }) => seed + copy);
  const draws = Math.max(...scenes.map(({ settings }) => noiseDraws(settings.sampler, settings.steps)));
  const noise =
    options.noise === undefined
      ? seeds.map(seededNoise)
      : injectedNoise(options.noise, {
          pictures: plain.length,
          tokens: grid[0] * grid[1],
          draws,
          width,
        });
  const shared = new SharedRows(tokens);
  const thoughts =
    think === undefined
      ? plain.map(() => known)
      : await thinkOf(
          context,
          plain.map(({ scene }, index) => ({
            rows: shared.of(scene.prompt, scene.images, mix),
            announced: scene.prompt.announcement.length,
            seed: seeds[index] as number,
          })),
          { ...think, watch },
        );
  const pictures = plain.map(({ scene }, index) => ({
    scene: { ...scene, prompt: promptWith(context, scene.prompt, thoughts[index]) },
    thought: thoughts[index],
  }));
  const digest = await context.digest();
  const made = { name: folder.files.name, digest, threads, size, images, platform, mix };
  return {
    platform,
    grid,
    signal,
    ground: {
      grid,
      tokenWidth: width,
      images: images.map(({ sha256, size: [height, width] }, index) => ({
        sha256,
        width,
        height,
        tokens: tokens[index] as Float32Array,
      })),
      ...(options.noise === undefined
        ? {}
        : { noise: await platform.sha256(floatBytes(options.noise.data)) }),
    },
    recipes: await Promise.all(
      pictures.map(async ({ scene, thought }, index) => ({
        ...(await recipeOf(scene, canvases[index] as Canvas, made)),
        seed: seeds[index] as number,
        ...(thought === undefined ? {} : { thought }),
        ...(options.noise === undefined ? {} : { injectedNoise: true as const }),
      })),
    ),
    notes: pictures.map(({ scene, thought }) => [
      ...notesOn(withoutTags(scene.text), size, trained),
      ...(think === undefined ? [] : thoughtNotes(thought, trained)),
    ]),
    slots: pictures.map(({ scene }, index) =>
      slotOf(scene, {
        rows: shared.of(scene.prompt, scene.images, mix),
        canvas: canvases[index] as Canvas,
        noise: noise[index] as TokenNoise,
        name: `picture ${index + 1}`,
      }),
    ),
  };
}

/** How settings have tokens solved, and guided. */
export function solverOf(settings: DrawSettings): Pick<SlotRequest, "solver" | "annealing"> {
  const { steps, shift, noiseLevel, lastSteps, stepSchedule } = settings;
  const annealing = lastSteps === null ? undefined : { lastSteps, schedule: stepSchedule };
  return { solver: { steps, shift, noiseLevel }, annealing };
}

export function guidanceOf({ cfg, cfgImg, cfgSchedule, cfgUntil }: DrawSettings): Guidance {
  return { cfg, cfgImg, schedule: cfgSchedule, until: cfgUntil };
}

/** A picture of a scene. */
export function slotOf(
  { settings }: Scene,
  own: Pick<SlotRequest, "rows" | "canvas" | "noise" | "name">,
): Slot {
  const { sampler, useNorm } = settings;
  return new Slot({
    ...own,
    ...solverOf(settings),
    sampler,
    guidance: guidanceOf(settings),
    useNorm,
  });
}

/** A prompt without images among others with some is drawn as if it stood alone. */
export function planScene(
  { folder: { release, config }, tokenizer, sessions, defaults }: PlanContext,
  tagged: TaggedPrompt & { readonly text: string },
  request: {
    readonly options: Partial<DrawSettings>;
    readonly images: readonly Pick<SizedImage, "size">[];
    readonly size: ImageSize;
  },
): Scene {
  const { options, images, size } = request;
  const own = tagged.images.map((index) => images[index]?.size as ImageSize);
  const edits = own.length > 0;
  const settings: DrawSettings = {
    ...(edits ? defaults.editing : defaults.drawing),
    ...pickSettings({ ...options }),
    ...(edits || images.length === 0 ? {} : { cfgImg: 1 }),
  };
  for (const text of [tagged.caption, settings.positive, settings.negative]) {
    checkTextLength(text, tokenizer.longestToken, config, "prompt");
  }
  const prompt = buildPromptRows(tokenizer, {
    captions: [tagged.caption],
    images: edits ? own : null,
    imagesPerCaption: 1,
    positive: settings.positive,
    negative: settings.negative,
    size,
    cfg: settings.cfg,
    cfgImg: settings.cfgImg,
    // The first release's way of writing prompts takes one image a caption.
    code: release === "v1" && own.length <= 1 ? "P-A" : "P-B",
    pixelsPerToken: pixelsPerToken(sessions),
  });
  checkPositions(prompt.rows, prompt.grid[0] * prompt.grid[1], config, "prompt");
  return { ...tagged, settings, prompt };
}

async function recipeOf(
  { text, settings, images: own }: Scene,
  canvas: Canvas,
  made: Pick<PlanContext, "threads" | "platform"> & {
    readonly name: string;
    readonly digest: string;
    readonly size: ImageSize;
    readonly images: readonly SizedImage[];
    readonly mix: AdapterMix | undefined;
  },
): Promise<Omit<Recipe, "seed">> {
  const kept = await describeKept(canvas, made.platform);
  const images = own.map((index) => {
    const { sha256, size } = made.images[index] as SizedImage;
    return { sha256, width: size[1], height: size[0] };
  });
  return {
    version: made.mix === undefined ? RECIPE_VERSION : ADAPTED_RECIPE_VERSION,
    model: made.name,
    modelDigest: made.digest,
    prompt: text,
    width: made.size[1],
    height: made.size[0],
    settings,
    threads: made.threads,
    ...(images.length === 0 ? {} : { images }),
    ...(kept === undefined ? {} : { kept }),
    ...describeMix(made.mix),
  };
}

function askedSize({ size, aspect }: DrawOptions, sessions: ModelSessions): ImageSize | undefined {
  if (aspect !== undefined) return namedSize(aspect, trainedSide(sessions), pixelsPerToken(sessions));
  return size === undefined ? undefined : [size.height, size.width];
}
