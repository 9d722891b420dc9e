/** @file Pictures in the making: progress token by token, previews on demand, each picture as it is finished. */
import { AbortedError, InputError, typedError } from "../errors.ts";
import type { RgbImage } from "../image/pixels.ts";
import { tokenWidth } from "../model/config.ts";
import { untilAborted } from "./abort.ts";
import type {
  DecodingProgress,
  Drawing,
  DrawingCounts,
  DrawingPlan,
  DrawingProgress,
  FinishedPicture,
  PlanWatch,
  ThoughtProgress,
} from "./drawing.ts";
import { type DrawingJob, jobOf, tokensBehind } from "./drawing-job.ts";
import type { DrawingNote } from "./drawing-notes.ts";
import { Growing } from "./growing.ts";
import { decodePicture, isDecodedAtOnce, previewPicture } from "./image-coder.ts";
import type { ModelSessions } from "./model-sessions.ts";
import { finishPicture, type Picture } from "./picture.ts";
import type { Recipe } from "./recipe.ts";
import type { SharedLoop } from "./shared-loop.ts";
import type { Slot } from "./slot.ts";

/** What a model draws with. */
export interface DrawingTools {
  readonly sessions: ModelSessions;
  /** Shared with all that is drawn meanwhile. */
  readonly loop: SharedLoop;
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

  async counts(): Promise<DrawingCounts> {
    void this.pictures();
    return countsOf(await this.#settled(), tokenWidth(this.#sessions.folder.config));
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
    using relay = this.#sessions.relay(this.#signal, this.#left.signal);
    const { signal } = relay;
    const onThought = (progress: ThoughtProgress): void => this.#thoughts.push(progress);
    try {
      return await typed(untilAborted(this.#plan({ signal, onThought }), signal));
    } finally {
      this.#thoughts.end();
    }
  }

  async #draw(plan: DrawingPlan): Promise<readonly Picture[]> {
    const { slots: planned, signal: own } = plan;
    using relay = this.#sessions.relay(own, this.#left.signal);
    const { signal } = relay;
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
    return await Promise.all(slots.map((slot) => decoded.get(slot) as Promise<Picture>));
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
      tokensBehind: (written) => tokensBehind(plan, slots, passed, written),
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

/** @param width numbers of a token */
function countsOf({ slots }: DrawingPlan, width: number): DrawingCounts {
  // Guidance reads the other branches again, with nothing in them that was asked for.
  const conditions = [...new Set(slots.flatMap(({ request }) => request.rows.slice(0, 1)))];
  const inputImages = conditions
    .flatMap(({ images = [] }) => images)
    .reduce((sum, { tokens }) => sum + tokens.length / width, 0);
  const all = conditions.reduce((sum, { ids }) => sum + ids.length, 0);
  const output = slots.reduce((sum, { canvas }) => sum + canvas.count, 0);
  return { text: all - inputImages, inputImages, output };
}

/** Does work when what was asked for before is done. */
type InTurn = <Result>(work: () => Promise<Result>) => Promise<Result>;

/** Whatever befalls work as an error of this package. */
async function typed<Result>(work: Promise<Result>): Promise<Result> {
  try {
    return await work;
  } catch (error) {
    throw typedError(error);
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
