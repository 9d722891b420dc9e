/** @file An open model: draws, edits, writes and captions. Calls may overlap; each has its own state. */
import { type ModelFolder, openModelFolder } from "../checkpoint/model-folder.ts";
import { InputError, refuseAborted } from "../errors.ts";
import { namedSize } from "../image/aspect-buckets.ts";
import type { ImageSize } from "../image/pixels.ts";
import { tokenWidth } from "../model/config.ts";
import type { Engine } from "../runtime/engine.ts";
import { buildPromptRows } from "../sequence/prompt.ts";
import { type Grid, imageIds } from "../sequence/segments.ts";
import { loadTokenizer, type TextTokenizer } from "../sequence/tokenizer.ts";
import { type DefaultSettings, readDefaultSettings } from "./default-settings.ts";
import { checkDrawOptions, DEFAULT_COUNT, type DrawOptions, RANDOM_SEEDS } from "./draw-options.ts";
import { createDrawing, type Drawing, type DrawingPlan } from "./drawing.ts";
import { pixelsPerToken } from "./image-coder.ts";
import {
  encodeInputImages,
  type ImageInput,
  placeImages,
  readInputImages,
  trainedSide,
} from "./input-images.ts";
import { canvasesOf } from "./keep.ts";
import { ModelSessions } from "./model-sessions.ts";
import { checkOpenOptions, type OpenOptions } from "./open-options.ts";
import type { Picture } from "./picture.ts";
import type { Platform } from "./platform.ts";
import { checkPositions, checkTextLength } from "./position-limit.ts";
import { promptTokenRows } from "./prompt-rows.ts";
import { checkRecipe, type Recipe } from "./recipe.ts";
import { ReportingEngine } from "./reporting-engine.ts";
import { checkSeed, type DrawSettings, describe, pickSettings } from "./settings.ts";
import { Slot } from "./slot.ts";
import { noiseDraws } from "./solvers.ts";
import type { TokenRow } from "./token-feeds.ts";
import { injectedNoise, seededNoise, type TokenNoise } from "./token-noise.ts";
import { DEFAULT_MAX_TOKENS, DEFAULT_TEXT_SEED, type WriteOptions } from "./write-options.ts";
import { textPieces, writeTokens } from "./write-text.ts";
import { GrowingText, type TextSource, type WrittenText } from "./written-text.ts";

export class Model implements AsyncDisposable {
  /** The model's folder. */
  readonly path: string;
  /** What it draws with when it is told nothing. */
  readonly defaults: DefaultSettings;
  readonly #platform: Platform;
  readonly #folder: ModelFolder;
  readonly #engine: Engine;
  readonly #sessions: ModelSessions;
  readonly #tokenizer: TextTokenizer;
  #closed = false;

  private constructor(
    platform: Platform,
    folder: ModelFolder,
    engine: Engine,
    tokenizer: TextTokenizer,
    defaults: DefaultSettings,
    autoencoderEngine: () => Engine,
  ) {
    this.#platform = platform;
    this.path = folder.path;
    this.defaults = defaults;
    this.#folder = folder;
    this.#engine = engine;
    this.#sessions = new ModelSessions(engine, folder, autoencoderEngine);
    this.#tokenizer = tokenizer;
  }

  /** See {@link OpenOptions}; `path` names the folder to the platform. */
  static async open(platform: Platform, path: string | undefined, options: OpenOptions = {}): Promise<Model> {
    checkOpenOptions(options);
    const { threads, signal, onProgress } = options;
    refuseAborted(signal);
    onProgress?.({ phase: "reading" });
    const files = platform.modelFolder(path);
    // The engine thread loads its library while the files are read here.
    const engineOptions = threads === undefined ? {} : { threads };
    const report = (bare: Engine): Engine =>
      onProgress === undefined ? bare : new ReportingEngine(bare, onProgress);
    const engine = report(platform.createEngine(engineOptions));
    // Works now and then, beside the other: its idle threads must not take that one's time.
    const autoencoderEngine = () => report(platform.createEngine({ ...engineOptions, spin: false }));
    let folder: ModelFolder | undefined;
    try {
      folder = await openModelFolder(files);
      refuseAborted(signal);
      const [tokenizer, defaults] = await Promise.all([
        loadTokenizer(files),
        readDefaultSettings(files, folder.release),
      ]);
      refuseAborted(signal);
      return new Model(platform, folder, engine, tokenizer, defaults, autoencoderEngine);
    } catch (error) {
      await Promise.all([engine[Symbol.asyncDispose](), folder?.[Symbol.asyncDispose]()]);
      throw error;
    }
  }

  /** Name of the model's folder. */
  get name(): string {
    return this.#folder.files.name;
  }

  /**
   * Draws one picture or several of a prompt, or of several prompts in one batch.
   * @throws InputError or ConfigError for options that do not fit; AbortedError when cancelled between tokens.
   */
  draw(prompt: string | readonly string[], options: DrawOptions = {}): Promise<readonly Picture[]> {
    return this.start(prompt, options).pictures();
  }

  /** Like {@link draw}, to be followed token by token: `for await (const progress of model.start("a red apple"))`. */
  start(prompt: string | readonly string[], options: DrawOptions = {}): Drawing {
    return createDrawing(this.#sessions, () =>
      this.#plan(typeof prompt === "string" ? [prompt] : prompt, options),
    );
  }

  /**
   * Draws the picture of a recipe again.
   * @throws InputError when the recipe is of another model, had noise given to it, or its images are not these.
   */
  again(given: Recipe, options: Pick<DrawOptions, "images" | "noise" | "signal"> = {}): Drawing {
    return createDrawing(this.#sessions, async () => {
      const recipe = checkRecipe(given, "recipe");
      if (recipe.model !== this.name) {
        throw new InputError(`was drawn by the model "${recipe.model}", not "${this.name}"`, {
          where: "recipe",
          remedy: "open that model",
        });
      }
      if (recipe.injectedNoise === true && options.noise === undefined) {
        throw new InputError("was drawn with noise that was given", {
          where: "recipe",
          remedy: "give the same noise",
        });
      }
      const { prompt, seed, width, height, settings, images } = recipe;
      if ((images?.length ?? 0) !== (options.images?.length ?? 0)) {
        throw new InputError(`needs its ${images?.length ?? 0} input images`, {
          where: "recipe",
          remedy: "give the same images",
        });
      }
      const plan = await this.#plan([prompt], { ...settings, ...options, seed, size: { width, height } });
      images?.forEach(({ sha256 }, index) => {
        if (plan.recipes[0]?.images?.[index]?.sha256 !== sha256) {
          throw new InputError(`image ${index + 1} is not the one it was drawn from`, { where: "recipe" });
        }
      });
      return plan;
    });
  }

  /** Continues a text. */
  write(prompt: string, options: WriteOptions = {}): WrittenText {
    return this.#writeBehind(async () => {
      if (typeof prompt !== "string")
        throw new InputError(`${describe(prompt)} is not a text`, { where: "prompt" });
      checkTextLength(prompt, this.#tokenizer.longestToken, this.#folder.config, "prompt");
      const ids = this.#tokenizer.encode(prompt);
      if (ids.length > 0) return { ids };
      throw new InputError("is empty", { where: "prompt", remedy: "give some text to continue" });
    }, options);
  }

  /** Says what a picture shows, in the words the model was trained with. */
  caption(image: ImageInput, options: WriteOptions = {}): WrittenText {
    return this.#writeBehind(async () => {
      const [sized] = await readInputImages(this.#platform, this.#sessions, [image], undefined);
      if (sized === undefined) throw new InputError("is missing", { where: "image" });
      const [tokens] = await encodeInputImages(this.#sessions, [sized], options.signal);
      const side = pixelsPerToken(this.#sessions);
      const grid: Grid = [sized.size[0] / side, sized.size[1] / side];
      const ids = imageIds(this.#tokenizer, grid);
      const start = ids.indexOf(this.#tokenizer.specials.placeholder);
      return { ids, images: [{ start, tokens: tokens as Float32Array }] };
    }, options);
  }

  #writeBehind(readRow: () => Promise<TokenRow>, options: WriteOptions): WrittenText {
    return new GrowingText(this.#writePieces(readRow, options));
  }

  async *#writePieces(readRow: () => Promise<TokenRow>, options: WriteOptions): TextSource {
    this.#refuseClosed();
    const { maxTokens = DEFAULT_MAX_TOKENS, seed = DEFAULT_TEXT_SEED } = options;
    if (!Number.isInteger(maxTokens) || maxTokens < 1) {
      throw new InputError(`${describe(maxTokens)} is not a number of tokens`, {
        where: "maxTokens",
        remedy: "use 1 or more",
      });
    }
    checkSeed(seed, 1);
    refuseAborted(options.signal);
    const row = await readRow();
    const { specials } = this.#tokenizer;
    const stop = new Set(
      [specials.eos, specials.boi, specials.area].filter((id): id is number => id !== null),
    );
    const steps = writeTokens(this.#sessions, { ...options, row, maxTokens, seed, stop });
    return yield* textPieces(this.#tokenizer, steps);
  }

  #refuseClosed(): void {
    if (this.#closed) throw new InputError("was closed", { where: this.name, remedy: "open it again" });
  }

  async #plan(captions: readonly string[], options: DrawOptions): Promise<DrawingPlan> {
    this.#refuseClosed();
    checkDrawOptions(captions, options);
    const given = options.images ?? [];
    const defaults = given.length > 0 ? this.defaults.editing : this.defaults.drawing;
    const settings: DrawSettings = { ...defaults, ...pickSettings({ ...options }) };
    const count = options.count ?? DEFAULT_COUNT;
    const seed = options.seed ?? Math.floor(Math.random() * RANDOM_SEEDS);
    const asked = this.#askedSize(options);
    const images = await readInputImages(this.#platform, this.#sessions, given, asked);
    const size = asked ?? images[0]?.size ?? square(trainedSide(this.#sessions));
    const placed = placeImages(captions, images);
    const { release, config } = this.#folder;
    for (const text of [...placed.captions, settings.positive, settings.negative]) {
      checkTextLength(text, this.#tokenizer.longestToken, config, "prompt");
    }
    const prompt = buildPromptRows(this.#tokenizer, {
      captions: placed.captions,
      images: images.length === 0 ? null : placed.images.map((image) => image.size),
      imagesPerCaption: count,
      positive: settings.positive,
      negative: settings.negative,
      size,
      cfg: settings.cfg,
      cfgImg: settings.cfgImg,
      // The first release's way of writing prompts takes one image a caption.
      code: release === "v1" && placed.images.length <= captions.length ? "P-A" : "P-B",
      pixelsPerToken: pixelsPerToken(this.#sessions),
    });
    const tokens = prompt.grid[0] * prompt.grid[1];
    checkPositions(prompt.rows, tokens, config, "prompt");
    const canvases = canvasesOf(options.keep, prompt.pictures, prompt.grid, tokenWidth(config));
    const encoded = await encodeInputImages(this.#sessions, images, options.signal);
    const rows = promptTokenRows(
      prompt,
      placed.images.map((image) => encoded[images.indexOf(image)] as Float32Array),
    );
    const { sampler, steps, shift, noiseLevel, cfg, cfgImg, cfgSchedule, useNorm } = settings;
    const seeds = Array.from({ length: prompt.pictures }, (_, picture) => seed + (picture % count));
    const draws = noiseDraws(sampler, steps);
    const noise =
      options.noise === undefined
        ? seeds.map(seededNoise)
        : injectedNoise(options.noise, {
            pictures: prompt.pictures,
            tokens,
            draws,
            width: tokenWidth(config),
          });
    const [height, width] = size;
    const recipes = seeds.map((pictureSeed, picture): Recipe => {
      return {
        version: 1,
        model: this.name,
        prompt: captions[Math.floor(picture / count)] as string,
        seed: pictureSeed,
        width,
        height,
        settings,
        ...(images.length === 0
          ? {}
          : {
              images: images.map((image) => ({
                sha256: image.sha256,
                width: image.size[1],
                height: image.size[0],
              })),
            }),
        ...(options.noise === undefined ? {} : { injectedNoise: true as const }),
      };
    });
    return {
      platform: this.#platform,
      grid: prompt.grid,
      recipes,
      signal: options.signal,
      slots: canvases.map(
        (canvas, picture) =>
          new Slot({
            rows: rows.filter((_, row) => row % prompt.pictures === picture),
            canvas,
            sampler,
            solver: { steps, shift, noiseLevel },
            guidance: { cfg, cfgImg, schedule: cfgSchedule },
            noise: noise[picture] as TokenNoise,
            useNorm,
            name: `picture ${picture + 1}`,
          }),
      ),
    };
  }

  #askedSize({ size, aspect }: DrawOptions): ImageSize | undefined {
    if (aspect !== undefined) return namedSize(aspect, trainedSide(this.#sessions));
    return size === undefined ? undefined : [size.height, size.width];
  }

  /** Ends the engine and closes the files; harmless the second time. */
  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    await this.#sessions.close();
    await this.#engine[Symbol.asyncDispose]();
    await this.#folder[Symbol.asyncDispose]();
  }

  /** {@link close}, for `await using`. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }
}

function square(side: number): ImageSize {
  return [side, side];
}
