/** @file An open model: draws, edits, writes and captions. Calls may overlap; each has its own state. */
import { modelDigest } from "../checkpoint/model-digest.ts";
import { type ModelFolder, openModelFolder } from "../checkpoint/model-folder.ts";
import { InputError, refuseAborted } from "../errors.ts";
import type { ImageSize } from "../image/pixels.ts";
import type { Engine } from "../runtime/engine.ts";
import { type Grid, imageIds } from "../sequence/segments.ts";
import { thoughtMarkers } from "../sequence/thought-markers.ts";
import { loadTokenizer } from "../sequence/tokenizer.ts";
import { untilAborted } from "./abort.ts";
import { type CacheShares, sharesOf } from "./cache-shares.ts";
import { type DefaultSettings, readDefaultSettings } from "./default-settings.ts";
import { checkImageInput, checkSignal, type DrawOptions } from "./draw-options.ts";
import { type PlanContext, planDrawing } from "./draw-plan.ts";
import type { Drawing, DrawingPlan, PlanWatch } from "./drawing.ts";
import type { DrawingJob } from "./drawing-job.ts";
import { pixelsPerToken } from "./image-coder.ts";
import {
  encodeInputImages,
  type ImageInput,
  readInputImages,
  type SizedImage,
  trainedSide,
} from "./input-images.ts";
import { type AvailableMemory, MemoryCheck, memoryOf } from "./memory-check.ts";
import { type DrawingMemory, MEMORY_PARTS } from "./memory-estimate.ts";
import { createDrawing } from "./model-drawing.ts";
import { ModelSessions } from "./model-sessions.ts";
import type { ModelLoad } from "./model-work.ts";
import { readAdapters } from "./open-adapters.ts";
import { checkOpenOptions, type OpenOptions } from "./open-options.ts";
import { finishPicture, type Picture } from "./picture.ts";
import type { Platform } from "./platform.ts";
import { checkTextLength } from "./position-limit.ts";
import type { Recipe } from "./recipe.ts";
import { type ChosenBy, isChooserName } from "./recipe-chosen.ts";
import { type AgainOptions, planAgain } from "./repeat-plan.ts";
import { ReportingEngine } from "./reporting-engine.ts";
import { planResume, type ResumeOptions } from "./resume-plan.ts";
import { type PictureScore, scoreTokens } from "./score-picture.ts";
import {
  type BestPicture,
  checkScoreOptions,
  type ModelWorth,
  planScore,
  type RewardWorth,
  type ScoreOptions,
  type TokenPicture,
  worth,
} from "./score-plan.ts";
import { checkSeed, describe } from "./settings.ts";
import { SharedLoop, type UnderWay } from "./shared-loop.ts";
import type { Slot } from "./slot.ts";
import type { TokenRow } from "./token-feeds.ts";
import { readTrainedOn, type TrainedOn } from "./trained-on.ts";
import { DEFAULT_MAX_TOKENS, DEFAULT_TEXT_SEED, type WriteOptions } from "./write-options.ts";
import { textPieces, writeTokens } from "./write-text.ts";
import { GrowingText, type TextSource, type WrittenText } from "./written-text.ts";

function memoryCheckOf(folder: ModelFolder): MemoryCheck | undefined {
  const model = memoryOf(folder);
  return model === undefined ? undefined : new MemoryCheck(model);
}

/** What is free beside the adapters' matrices. */
function availableBeside(
  platform: Platform,
  { adapterBytesToCome }: ModelSessions,
): AvailableMemory | undefined {
  const available = platform.availableMemory();
  return available && { ...available, bytes: Math.max(0, available.bytes - adapterBytesToCome) };
}

/** What {@link Model.open} has read and made. */
interface ModelParts extends Omit<PlanContext, "digest" | "refuseTooLarge"> {
  readonly maxPictures: number | undefined;
  readonly shares: CacheShares;
  readonly engine: Engine;
  /** Undefined where memory is not to be checked. */
  readonly memory: MemoryCheck | undefined;
}

/** What text is to stand behind: known before its images are encoded. */
interface WritingPlan extends Pick<DrawingMemory, "promptTokens" | "images"> {
  read(signal: AbortSignal): Promise<TokenRow>;
}

export class Model implements AsyncDisposable {
  /** The model's folder. */
  readonly path: string;
  /** What it draws with when it is told nothing. */
  readonly defaults: DefaultSettings;
  /** What it was trained on, as far as its folder says. */
  readonly trained: TrainedOn;
  readonly #engine: Engine;
  readonly #memory: MemoryCheck | undefined;
  readonly #context: PlanContext;
  readonly #loop: SharedLoop;
  #digest: Promise<string> | undefined;
  #closed = false;

  private constructor({ engine, memory, maxPictures, shares, ...context }: ModelParts) {
    const { platform, folder, defaults, trained } = context;
    this.path = folder.path;
    this.defaults = defaults;
    this.trained = trained;
    this.#engine = engine;
    this.#memory = memory;
    this.#loop = new SharedLoop(context.sessions, {
      maxSlots: maxPictures,
      ...shares,
      check: (slots, underWay) => this.#refuseBeside(slots, underWay),
    });
    this.#context = {
      ...context,
      digest: () => {
        this.#digest ??= modelDigest(folder, platform.sha256);
        return this.#digest;
      },
      refuseTooLarge: (drawing) => this.#refuseTooLarge(drawing),
    };
  }

  /** See {@link OpenOptions}; `path` names the folder to the platform. */
  static async open(platform: Platform, path: string | undefined, options: OpenOptions = {}): Promise<Model> {
    checkOpenOptions(options);
    const { threads = platform.threads, signal, onProgress } = options;
    refuseAborted(signal);
    onProgress?.({ phase: "reading" });
    const files = platform.modelFolder(path);
    // The engine thread loads its library while the files are read here.
    const report = (bare: Engine): Engine =>
      onProgress === undefined ? bare : new ReportingEngine(bare, onProgress);
    // Its products are many and short, and whatever else the processors do (the caller's thread, the decoder, other
    // programs) would wait for threads that spin, and they for it at the end of each product.
    const engine = report(platform.createEngine({ threads, spin: false }));
    // Works now and then, beside the other. Its runs are large.
    const autoencoderEngine = () =>
      report(platform.createEngine({ threads, spin: false, memoryPattern: false }));
    const opening = openModelFolder(files);
    try {
      const folder = await untilAborted(opening, signal);
      const reading = [
        loadTokenizer(files),
        readDefaultSettings(files, folder.release),
        readTrainedOn(files),
      ] as const;
      const [tokenizer, defaults, trained] = await untilAborted(Promise.all(reading), signal);
      const adapters = await untilAborted(readAdapters(platform, folder, options.adapters), signal);
      const sessions = new ModelSessions(engine, folder, autoencoderEngine, adapters, options.onWork);
      const memory = options.checkMemory === false ? undefined : memoryCheckOf(folder);
      const available = availableBeside(platform, sessions);
      if (available !== undefined) memory?.refuseWeights(available);
      const read = { platform, folder, sessions, tokenizer, defaults, trained };
      const shares = sharesOf(options, memoryOf(folder), available?.bytes);
      return new Model({ ...read, threads, engine, memory, maxPictures: options.maxPictures, shares });
    } catch (error) {
      const closed = opening.then(
        (folder) => folder[Symbol.asyncDispose](),
        () => {},
      );
      // What is being read when opening is cancelled is closed when it has been read.
      await Promise.all([engine[Symbol.asyncDispose](), signal?.aborted === true ? undefined : closed]);
      throw error;
    }
  }

  /** Name of the model's folder. */
  get name(): string {
    return this.#context.folder.files.name;
  }

  /** Names of the adapters that it was opened with. */
  get adapters(): readonly string[] {
    return [...this.#context.sessions.adapters.keys()];
  }

  /**
   * Pixels on a side of a token: pictures are whole tokens.
   * @throws ModelFormatError without an autoencoder
   */
  get pixelsPerToken(): number {
    return pixelsPerToken(this.#context.sessions);
  }

  /** Height and width of the square pictures that it was trained on. Throws as {@link pixelsPerToken} does. */
  get size(): ImageSize {
    const side = trainedSide(this.#context.sessions);
    return [side, side];
  }

  /** Which model it is, whatever its folder is called: what recipes call its digest. */
  digest(): Promise<string> {
    return this.#context.digest();
  }

  /** Whether it may be asked to think: its vocabulary has the markers, and its folder does not list captions without them. */
  get thinks(): boolean {
    const { tokenizer, trained } = this.#context;
    return trained.words === undefined && thoughtMarkers(tokenizer).length > 0;
  }

  /** Pictures for which there is no room among those that are drawn at once; not those that are about to join them. */
  get waiting(): number {
    return this.#loop.waiting;
  }

  /** What it is at now. */
  get load(): ModelLoad {
    return this.#loop.load;
  }

  /** Whether its engines still answer: one whose thread has ended does not any more, and the model must be opened anew. */
  answers(): Promise<boolean> {
    return this.#closed ? Promise.resolve(false) : this.#context.sessions.answer();
  }

  /**
   * Draws one picture or several of a prompt, or of several prompts in one batch.
   * @throws InputError or ConfigError for options that do not fit; InsufficientMemoryError for what would not fit into
   * memory, before it is begun; AbortedError when cancelled between tokens.
   */
  draw(prompt: string | readonly string[], options: DrawOptions = {}): Promise<readonly Picture[]> {
    return this.start(prompt, options).pictures();
  }

  /** Like {@link draw}, to be followed token by token: `for await (const progress of model.start("a red apple"))`. */
  start(prompt: string | readonly string[], options: DrawOptions = {}): Drawing {
    const prompts = typeof prompt === "string" ? [prompt] : prompt;
    return this.#drawing((watch) => planDrawing(this.#context, prompts, options, { watch }), options);
  }

  /**
   * Draws the picture of a recipe again; its notes say where the model is another one or rounds otherwise.
   * @throws InputError when its images, kept tokens or noise are missing or others.
   */
  again(recipe: Recipe, options: AgainOptions = {}): Drawing {
    return this.#drawing(() => planAgain(this.#context, recipe, options), options);
  }

  /**
   * Goes on with a drawing that was interrupted ({@link Drawing.job}), to the bits that it would have had.
   * @throws InputError when the job is of another model, or noise that was given is missing or other; DataFormatError when
   * the job does not fit itself.
   */
  resume(job: DrawingJob, options: ResumeOptions = {}): Drawing {
    return this.#drawing(() => planResume(this.#context, job, options), options);
  }

  /**
   * The tokens of a picture, as drawings keep them: [rows * columns, 64], in raster order. A picture file is brought to the
   * aspect bucket of the model's image size that is nearest in shape; pixels whose sides are whole tokens are taken as they
   * are.
   * @throws InputError or DataFormatError for what is no picture; InsufficientMemoryError; AbortedError
   */
  async encode(
    image: ImageInput,
    options: Pick<DrawOptions, "signal"> = {},
  ): Promise<{ readonly grid: Grid; readonly tokens: Float32Array }> {
    this.#refuseClosed();
    checkImageInput(image, 0);
    checkSignal(options.signal);
    const { platform, sessions } = this.#context;
    using relay = sessions.relay(options.signal);
    const reading = readInputImages(platform, sessions, [image]);
    const [sized] = await untilAborted(reading, relay.signal);
    const { size } = sized as SizedImage;
    this.#refuseTooLarge({ grid: [0, 0], pictures: 0, rows: 1, promptTokens: 1, images: [size] });
    const [tokens] = await encodeInputImages(sessions, [sized as SizedImage], relay.signal);
    const side = pixelsPerToken(sessions);
    return { grid: [size[0] / side, size[1] / side], tokens: tokens as Float32Array };
  }

  /**
   * How well the model expects a picture under a prompt: a file, pixels, or the tokens of a drawn picture. Files are brought to
   * a size as {@link encode} does.
   * @throws as {@link encode}, and InputError or ConfigError for options that do not fit.
   */
  async score(
    prompt: string,
    picture: ImageInput | TokenPicture,
    options: ScoreOptions = {},
  ): Promise<PictureScore> {
    this.#refuseClosed();
    checkScoreOptions(prompt, options);
    const { sessions } = this.#context;
    using relay = sessions.relay(options.signal);
    const { signal } = relay;
    const context: PlanContext = {
      ...this.#context,
      refuseTooLarge: (drawing) => this.#refuseTooLarge(drawing, undefined, "flow errors"),
    };
    const scored = await untilAborted(planScore(context, prompt, picture, options, signal), signal);
    return scoreTokens(sessions, scored, options, signal);
  }

  /**
   * Scores pictures that were drawn of one prompt, and gives the best back with a recipe that says so.
   * @param options.images those that the prompt refers to
   * @param onScore told each score as it is made
   * @throws as {@link score}; InputError without pictures
   */
  async best(
    pictures: readonly Picture[],
    by: ChosenBy,
    options: ScoreOptions = {},
    onScore?: (done: number) => void,
  ): Promise<BestPicture<ModelWorth>> {
    const scores: PictureScore[] = [];
    for (const { prompt, grid, tokens } of pictures) {
      scores.push(await this.score(prompt, { grid, tokens }, options));
      onScore?.(scores.length);
    }
    const worths = scores.map((score) => worth(score, by));
    const seeds = pictures.map(({ seed }) => seed);
    return {
      picture: this.#chosen(pictures, worths, by),
      scores: scores.map(({ loss, unconditional, gain }, index) => ({
        ...{ seed: seeds[index]!, loss, unconditional, gain },
      })),
    };
  }

  /**
   * The best of pictures that were drawn of one prompt, by rewards of them, larger being better; the first of equal ones. Its recipe
   * says so.
   * @param by what gave the rewards: words of small letters, with hyphens between them
   * @throws InputError without pictures, for another number of rewards, for one that is not finite, and for another name
   */
  bestBy(pictures: readonly Picture[], rewards: readonly number[], by: string): BestPicture<RewardWorth> {
    if (!isChooserName(by)) throw new InputError(`${describe(by)} is no name of a reward`, { where: "by" });
    if (rewards.length !== pictures.length || !rewards.every(Number.isFinite)) {
      throw new InputError(`are not ${pictures.length} finite numbers`, { where: "rewards" });
    }
    return {
      picture: this.#chosen(pictures, rewards, by),
      scores: rewards.map((reward, index) => ({ seed: pictures[index]!.seed, reward })),
    };
  }

  #chosen(pictures: readonly Picture[], worths: readonly number[], by: string): Picture {
    const picture = pictures[worths.indexOf(Math.max(...worths))];
    if (picture === undefined) throw new InputError("there are none to choose from", { where: "pictures" });
    const chosen = { by, of: pictures.length, firstSeed: pictures[0]!.seed };
    return finishPicture({ ...picture, recipe: { ...picture.recipe, chosen } }, this.#context.platform);
  }

  /** Continues a text. */
  write(prompt: string, options: WriteOptions = {}): WrittenText {
    const { tokenizer, folder } = this.#context;
    return this.#writeBehind(async () => {
      if (typeof prompt !== "string")
        throw new InputError(`${describe(prompt)} is not a text`, { where: "prompt" });
      checkTextLength(prompt, tokenizer.longestToken, folder.config, "prompt");
      const ids = tokenizer.encode(prompt);
      if (ids.length > 0) return { promptTokens: ids.length, read: async () => ({ ids }) };
      throw new InputError("is empty", { where: "prompt", remedy: "give some text to continue" });
    }, options);
  }

  /** Says what a picture shows, in the words the model was trained with. */
  caption(image: ImageInput, options: WriteOptions = {}): WrittenText {
    const { platform, sessions, tokenizer } = this.#context;
    return this.#writeBehind(async () => {
      checkImageInput(image, 0);
      const [sized] = await readInputImages(platform, sessions, [image]);
      if (sized === undefined) throw new InputError("is missing", { where: "image" });
      const side = pixelsPerToken(sessions);
      const grid: Grid = [sized.size[0] / side, sized.size[1] / side];
      const ids = imageIds(tokenizer, grid);
      const start = ids.indexOf(tokenizer.specials.placeholder);
      const read = async (signal: AbortSignal): Promise<TokenRow> => {
        const [tokens] = await encodeInputImages(sessions, [sized], signal);
        return { ids, images: [{ start, tokens: tokens as Float32Array }] };
      };
      return { promptTokens: ids.length, images: [sized.size], read };
    }, options);
  }

  #writeBehind(prepare: () => Promise<WritingPlan>, options: WriteOptions): WrittenText {
    return new GrowingText(this.#writePieces(prepare, options));
  }

  async *#writePieces(prepare: () => Promise<WritingPlan>, options: WriteOptions): TextSource {
    this.#refuseClosed();
    const { maxTokens = DEFAULT_MAX_TOKENS, seed = DEFAULT_TEXT_SEED } = options;
    if (!Number.isInteger(maxTokens) || maxTokens < 1) {
      throw new InputError(`${describe(maxTokens)} is not a number of tokens`, {
        where: "maxTokens",
        remedy: "use 1 or more",
      });
    }
    checkSeed(seed, 1);
    checkSignal(options.signal);
    refuseAborted(options.signal);
    const { sessions, tokenizer } = this.#context;
    using relay = sessions.relay(options.signal);
    const { signal } = relay;
    const { read, ...behind } = await untilAborted(prepare(), signal);
    this.#refuseTooLarge({ grid: [0, 0], pictures: 0, rows: 1, writtenTokens: maxTokens, ...behind });
    const row = await untilAborted(read(signal), signal);
    const { specials } = tokenizer;
    const stop = new Set(
      [specials.eos, specials.boi, specials.area].filter((id): id is number => id !== null),
    );
    const steps = writeTokens(sessions, { ...options, signal, row, maxTokens, seed, stop });
    return yield* textPieces(tokenizer, steps);
  }

  #drawing(plan: (watch: PlanWatch) => Promise<DrawingPlan>, options: Pick<DrawOptions, "signal">): Drawing {
    // JavaScript hands in anything; the plan says what is wrong with it.
    const signal = options?.signal instanceof AbortSignal ? options.signal : undefined;
    const planOpen = async (watch: PlanWatch): Promise<DrawingPlan> => {
      this.#refuseClosed();
      const planned = await plan(watch);
      this.#refuseBeside(planned.slots, { slots: [], cacheBytes: 0 });
      return planned;
    };
    return createDrawing({ sessions: this.#context.sessions, loop: this.#loop }, planOpen, signal);
  }

  /** Before the weights that it needs are read, and its caches made. */
  #refuseTooLarge(
    drawing: DrawingMemory,
    underWay?: { pictures: number; cacheBytes: number },
    head: "image head" | "flow errors" = "image head",
  ): void {
    const { platform, sessions } = this.#context;
    const available = availableBeside(platform, sessions);
    if (this.#memory === undefined || available === undefined) return;
    // Scoring has a session of the image head's weights of its own.
    const isLoaded = (name: string): boolean => sessions.loaded.has(name === "image head" ? head : name);
    const loaded = MEMORY_PARTS.filter((part) => part === "program" || isLoaded(part));
    this.#memory.refuseDrawing(drawing, available, new Set(loaded), underWay);
  }

  /** Slots beside others, which all count as the largest and the longest of them. */
  #refuseBeside(slots: readonly Slot[], { slots: others, cacheBytes }: UnderWay): void {
    const all = [...slots, ...others];
    const prompts = all.flatMap(({ request }) => request.rows);
    const [largest] = all.map(({ canvas }) => canvas).toSorted((a, b) => b.count - a.count);
    if (largest === undefined) return;
    const promptTokens = Math.max(...prompts.map(({ ids }) => ids.length));
    const drawing = { grid: largest.grid, pictures: all.length, rows: prompts.length, promptTokens };
    this.#refuseTooLarge(drawing, { pictures: others.length, cacheBytes });
  }

  #refuseClosed(): void {
    if (this.#closed) throw new InputError("was closed", { where: this.name, remedy: "open it again" });
  }

  /** Ends the engine and closes the files; harmless the second time. */
  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    const { sessions, folder } = this.#context;
    await sessions.close();
    await this.#digest?.catch(() => {});
    await this.#engine[Symbol.asyncDispose]();
    await folder[Symbol.asyncDispose]();
  }

  /** {@link close}, for `await using`. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }
}
