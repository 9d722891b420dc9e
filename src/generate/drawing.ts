/** @file Pictures in the making: progress token by token, previews on demand, each picture as it is finished. */
import { AbortedError, EngineError, InputError, NextStepError } from "../errors.ts";
import type { RgbImage } from "../image/pixels.ts";
import type { Grid } from "../sequence/segments.ts";
import { untilAborted } from "./abort.ts";
import { type DrawingJob, type JobGround, jobOf } from "./drawing-job.ts";
import type { DrawingNote } from "./drawing-notes.ts";
import { Growing } from "./growing.ts";
import { decodePicture, isDecodedAtOnce, previewPicture } from "./image-coder.ts";
import type { ModelSessions } from "./model-sessions.ts";
import { finishPicture, type Picture } from "./picture.ts";
import type { Platform } from "./platform.ts";
import type { Recipe } from "./recipe.ts";
import type { SharedLoop } from "./shared-loop.ts";
import type { Slot } from "./slot.ts";
import type { TokenBatch } from "./token-batch.ts";
import type { ThoughtPiece } from "./write-thought.ts";

/** What is to be drawn, all settled. */
export interface DrawingPlan {
  /** One a picture, all of one grid. */
  readonly slots: readonly Slot[];
  readonly grid: Grid;
  /** What a job of it holds besides pictures. */
  readonly ground: JobGround;
  /** One a picture. */
  readonly recipes: readonly Recipe[];
  /** Of each picture. */
  readonly notes: readonly (readonly DrawingNote[])[];
  /** What finished pictures are saved with. */
  readonly platform: Pick<Platform, "zlib" | "writeFile">;
  readonly signal: AbortSignal | undefined;
}

/** Text of a thought as it comes. */
export interface ThoughtProgress extends ThoughtPiece {
  /** Place among {@link Drawing.pictures} of the picture that is thought about; the first of them where several share it. */
  readonly picture: number;
}

/** What goes on around the making of a plan. */
export interface PlanWatch {
  /** Ends it: the caller's, the drawing's, the model's. */
  readonly signal: AbortSignal;
  readonly onThought: (progress: ThoughtProgress) => void;
}

/** What a model draws with. */
export interface DrawingTools {
  readonly sessions: ModelSessions;
  /** Shared with all that is drawn meanwhile. */
  readonly loop: SharedLoop;
}

/** The state after a token. */
export interface DrawingProgress {
  /** Tokens that every picture has, from 1. */
  readonly token: number;
  /** Tokens of a picture. */
  readonly of: number;
  /** Rows of tokens that every picture has whole. */
  readonly rows: number;
  /** The pictures so far: finished rows of tokens decoded, grey below. Decoded in turn with pictures that are finished. */
  preview(): Promise<RgbImage[]>;
  /**
   * A copy of the tokens that every picture has, in raster order up to the first that one has not. Given to a new drawing
   * as `keep`, it goes on behind them.
   */
  tokens(): TokenBatch;
  /** A copy of all that it takes to go on from here: see {@link Drawing.job}. */
  job(): DrawingJob;
}

/** A picture as it is finished, while others may still be drawn. */
export interface FinishedPicture {
  /** Place among {@link Drawing.pictures}. */
  readonly index: number;
  readonly picture: Picture;
}

/** How much of pictures too large to be decoded at once is decoded. */
export interface DecodingProgress {
  /** Pictures, with the part of the one that is being decoded. */
  readonly done: number;
  /** All pictures of the drawing. */
  readonly of: number;
}

/**
 * Pictures being drawn. Iterate to follow the progress, or ask for the pictures; either starts the work, which then goes
 * on by itself. Leaving the iteration early stops it.
 */
export interface Drawing extends AsyncIterable<DrawingProgress> {
  /** @throws InputError the second time. */
  [Symbol.asyncIterator](): AsyncGenerator<DrawingProgress>;
  /**
   * The finished pictures: in the order of the prompts, those of one prompt side by side.
   * @throws AbortedError when the drawing was cancelled, or its iteration left early; EngineError naming picture and token
   * where a number is not finite.
   */
  pictures(): Promise<readonly Picture[]>;
  /** Follows the decoding of pictures that is done in parts; gives nothing for smaller ones. Starts the work, never throws. */
  decoding(): AsyncGenerator<DecodingProgress>;
  /** Each picture when it is decoded. Throws as {@link pictures} does. */
  finished(): AsyncGenerator<FinishedPicture>;
  /**
   * What the model thinks before it draws, one thought after the other; ends before the first token is drawn. Starts the
   * work. Throws as {@link pictures} does.
   */
  thoughts(): AsyncGenerator<ThoughtProgress>;
  /**
   * What should be known of each picture ({@link Picture.notes}), before the first token is drawn. Starts the work. Throws
   * as {@link pictures} does.
   */
  notes(): Promise<readonly (readonly DrawingNote[])[]>;
  /**
   * A copy of how far it has come: plain data, from which `model.resume` goes on to the same bits. Starts the work; also
   * there when the drawing was cancelled or failed. Throws only where the drawing could not be planned.
   */
  job(): Promise<DrawingJob>;
}

class ModelDrawing implements Drawing {
  readonly #sessions: ModelSessions;
  readonly #loop: SharedLoop;
  readonly #plan: (watch: PlanWatch) => Promise<DrawingPlan>;
  /** The caller's, while the plan is made. */
  readonly #signal: AbortSignal | undefined;
  readonly #left = new AbortController();
  readonly #thoughts = new Growing<ThoughtProgress>();
  readonly #progress = new Growing<DrawingProgress>();
  readonly #finished = new Growing<FinishedPicture>();
  readonly #decoding = new Growing<DecodingProgress>();
  /** Pictures that are decoded. */
  #decoded = 0;
  #planned: Promise<DrawingPlan> | undefined;
  #work: Promise<readonly Picture[]> | undefined;
  #followed = false;

  constructor(
    { sessions, loop }: DrawingTools,
    plan: (watch: PlanWatch) => Promise<DrawingPlan>,
    signal: AbortSignal | undefined,
  ) {
    this.#sessions = sessions;
    this.#loop = loop;
    this.#plan = plan;
    this.#signal = signal;
  }

  [Symbol.asyncIterator](): AsyncGenerator<DrawingProgress> {
    if (this.#followed) throw new InputError("can be followed only once", { where: "drawing" });
    this.#followed = true;
    return this.#follow();
  }

  pictures(): Promise<readonly Picture[]> {
    this.#work ??= this.#start();
    return this.#work;
  }

  async *thoughts(): AsyncGenerator<ThoughtProgress> {
    void this.pictures();
    yield* this.#thoughts.read();
    await this.#settled();
  }

  async notes(): Promise<readonly (readonly DrawingNote[])[]> {
    void this.pictures();
    return (await this.#settled()).notes;
  }

  async job(): Promise<DrawingJob> {
    void this.pictures();
    return jobOf(await this.#settled());
  }

  decoding(): AsyncGenerator<DecodingProgress> {
    void this.pictures();
    return this.#decoding.read();
  }

  async *finished(): AsyncGenerator<FinishedPicture> {
    const work = this.pictures();
    yield* this.#finished.read();
    await work;
  }

  async *#follow(): AsyncGenerator<DrawingProgress> {
    const work = this.pictures();
    let ended = false;
    try {
      yield* this.#progress.read();
      ended = true;
      await work;
    } finally {
      if (!ended) this.#left.abort(new AbortedError("the drawing was left before its end"));
    }
  }

  #start(): Promise<readonly Picture[]> {
    const work = this.#settled()
      .then((plan) => typed(this.#draw(plan)))
      .finally(() => {
        this.#progress.end();
        this.#finished.end();
        this.#decoding.end();
      });
    // Who follows the drawing meets the error there; asking for the pictures as well is not required.
    work.catch(() => {});
    return work;
  }

  #settled(): Promise<DrawingPlan> {
    this.#planned ??= this.#settle();
    return this.#planned;
  }

  async #settle(): Promise<DrawingPlan> {
    const own = this.#signal === undefined ? [] : [this.#signal];
    const signal = this.#sessions.signal(AbortSignal.any([...own, this.#left.signal]));
    const onThought = (progress: ThoughtProgress): void => this.#thoughts.push(progress);
    try {
      return await typed(untilAborted(this.#plan({ signal, onThought }), signal));
    } finally {
      this.#thoughts.end();
    }
  }

  async #draw(plan: DrawingPlan): Promise<readonly Picture[]> {
    const { slots: planned, signal: own } = plan;
    const given = own === undefined ? this.#left.signal : AbortSignal.any([own, this.#left.signal]);
    const signal = this.#sessions.signal(given);
    const slots = planned.map((slot) => slot.withSignal(signal));
    const decoded = new Map<Slot, Promise<Picture>>();
    let last: Promise<unknown> = Promise.resolve();
    /** One picture at a time: the decoder's activations are the larger part of the memory. */
    const inTurn: InTurn = (work) => {
      const result = last.then(work);
      last = result.catch(() => {});
      return result;
    };
    const decode = (slot: Slot): void => {
      if (decoded.has(slot)) return;
      const index = slots.indexOf(slot);
      const picture = inTurn(() => this.#decode(slot, index, plan, signal));
      picture.catch(() => {});
      decoded.set(slot, picture);
    };
    let first = true;
    for await (const events of this.#loop.draw(slots)) {
      // Made beside the tokens, so that the first picture need not wait for its decoder.
      if (first && isDecodedAtOnce(this.#sessions, plan.grid)) this.#sessions.decoder(signal).catch(() => {});
      first = false;
      for (const { slot, finished } of events) if (finished) decode(slot);
      this.#progress.push(this.#progressOf(plan, slots, inTurn, signal));
    }
    // Pictures all of whose tokens were given never enter the loop.
    for (const slot of slots) decode(slot);
    return Promise.all(slots.map((slot) => decoded.get(slot) as Promise<Picture>));
  }

  async #decode(
    slot: Slot,
    index: number,
    { recipes, notes, grid, platform }: DrawingPlan,
    signal: AbortSignal,
  ): Promise<Picture> {
    const recipe = recipes[index] as Recipe;
    const tokens = slot.canvas.cells();
    const decoded = await decodePicture(this.#sessions, tokens, grid, signal, (part) => {
      this.#decoding.push({ done: this.#decoded + part, of: recipes.length });
    });
    this.#decoded++;
    const picture = finishPicture({ recipe, notes: notes[index] ?? [], grid, tokens, ...decoded }, platform);
    this.#finished.push({ index, picture });
    return picture;
  }

  #progressOf(
    plan: DrawingPlan,
    slots: readonly Slot[],
    inTurn: InTurn,
    signal: AbortSignal,
  ): DrawingProgress {
    const { grid } = plan;
    const passed = slots.map(({ canvas }) => canvas.next);
    const cells = Math.min(...slots.map(({ canvas }, picture) => canvas.prefix(passed[picture])));
    const [first] = slots;
    return {
      token: Math.min(...passed),
      of: first?.canvas.count ?? 0,
      rows: Math.floor(cells / grid[1]),
      tokens: () => {
        const width = first?.canvas.width ?? 0;
        const data = new Float32Array(slots.length * cells * width);
        slots.forEach(({ canvas }, picture) => {
          data.set(canvas.cells(0, cells), picture * cells * width);
        });
        return { data, shape: [slots.length, cells, width] };
      },
      job: () => jobOf(plan, passed),
      preview: async () => {
        const pictures: RgbImage[] = [];
        for (const [picture, { canvas }] of slots.entries()) {
          const tokens = canvas.cells(0, canvas.prefix(passed[picture]));
          pictures.push(await inTurn(() => previewPicture(this.#sessions, tokens, grid, signal)));
        }
        return pictures;
      },
    };
  }
}

/** Does work when what was asked for before is done. */
type InTurn = <Result>(work: () => Promise<Result>) => Promise<Result>;

/** Whatever befalls work as an error of this package. */
async function typed<Result>(work: Promise<Result>): Promise<Result> {
  try {
    return await work;
  } catch (error) {
    throw error instanceof NextStepError ? error : new EngineError(String(error), { cause: error });
  }
}

/**
 * A drawing whose plan is made when it is started.
 * @param signal ends the making of the plan; the plan has its own for what follows.
 */
export function createDrawing(
  tools: DrawingTools,
  plan: (watch: PlanWatch) => Promise<DrawingPlan>,
  signal?: AbortSignal,
): Drawing {
  return new ModelDrawing(tools, plan, signal);
}
