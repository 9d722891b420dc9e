/** @file One job on its way from request or draft to pictures in the store. */
import { DataFormatError, InputError, type NextStepError, typedError } from "../../errors.ts";
import { isJsonObject } from "../../formats/json-file.ts";
import { relayed } from "../../generate/abort.ts";
import type { Drawing, DrawingProgress } from "../../generate/drawing.ts";
import type { DrawingJob } from "../../generate/drawing-job.ts";
import { encodeJob, parseJob } from "../../generate/job-format.ts";
import type { Model } from "../../generate/model.ts";
import type { Picture } from "../../generate/picture.ts";
import type { NewPicture } from "../contract/gallery.ts";
import type { JobUsage } from "../contract/job.ts";
import type { ClaimedJob } from "../contract/job-queue.ts";
import { storePicture } from "./finished-picture.ts";
import { Looks, type ShownLook } from "./looks.ts";
import { Pace } from "./pace.ts";
import type { PasteBack } from "./paste-back.ts";
import { drawOptionsOf, pasteBackOf, type Sources } from "./prepare-drawing.ts";

/** Between two drafts of a job: what a killed worker has to draw again is at most as much, and a row. */
const DRAFT_MS = 2000;
/**
 * Of one that was begun before: each row. Where servers live shorter than it takes to come back to where the job was, it
 * still gets on, and is not taken for one that ends them.
 */
const DRAFT_AGAIN_MS = 0;

/** What a run is about, to those who keep a log. */
export type RunNotice =
  /** The draft was damaged, or of another model: the job is begun anew. */
  | { readonly kind: "draft dropped"; readonly error: NextStepError }
  /** The drawing goes on; what is not saved is drawn again if the worker dies. */
  | { readonly kind: "draft not saved"; readonly error: NextStepError };

export interface RunSurroundings {
  readonly sources: Sources;
  /** Fires when the drawing is to be parked. */
  readonly park: AbortSignal;
  readonly onNotice: (notice: RunNotice) => void;
}

export interface DrawnJob {
  readonly pictures: readonly NewPicture[];
  readonly usage: JobUsage;
}

/** What a draft holds beside the drawing. */
interface DraftOwn {
  /** The last look that was shown. */
  readonly shown: ShownLook;
}

interface Draft extends DraftOwn {
  readonly job: DrawingJob;
}

const NOT_SHOWN: ShownLook = { number: 0, rows: 0 };

export class JobRun {
  readonly #claimed: ClaimedJob;
  readonly #surroundings: RunSurroundings;
  /** Of the drawing that was begun last. */
  #drawing: Drawing | undefined;
  #shown = NOT_SHOWN;
  #savedAt = performance.now();
  #saving: Promise<void> | undefined;
  #looks: Looks | undefined;

  constructor(claimed: ClaimedJob, surroundings: RunSurroundings) {
    this.#claimed = claimed;
    this.#surroundings = surroundings;
  }

  get #id(): string {
    return this.#claimed.record.id;
  }

  /**
   * Draws the job to its end, from where it was before: in this run, or by its draft.
   * @param planned called when all is read that stands in front of the first token
   * @throws whatever befalls it; the run can then be drawn again, with another model too
   */
  async draw(model: Model, planned: () => void): Promise<DrawnJob> {
    const { request } = this.#claimed.record;
    using relay = relayed(this.#claimed.signal, this.#surroundings.park);
    const drawing = await this.#begin(model, relay.signal);
    this.#drawing = drawing;
    const counts = await drawing.counts();
    planned();
    // A thought is work of its own that nobody wants to be done twice.
    if (request.think) await this.#save(await drawing.job());
    const { sources } = this.#surroundings;
    // Kept while it is drawn only where somebody looks: it may be large.
    const shown = request.previews === 0 ? undefined : await pasteBackOf(request, model, sources);
    await this.#follow(drawing, model.pixelsPerToken, shown);
    const pictures = await drawing.pictures();
    await this.#saving;
    const paste = shown ?? (await pasteBackOf(request, model, sources));
    return {
      pictures: await this.#store(pictures, paste),
      usage: { textTokens: counts.text, inputImageTokens: counts.inputImages, outputTokens: counts.output },
    };
  }

  /** Saves how far the drawing has come, so that another worker goes on from there. */
  async park(): Promise<void> {
    await this.#saving;
    // The draft says which look was the last one.
    await this.#looks?.ended();
    const job = await this.#reached();
    if (job !== undefined) await this.#put(job);
  }

  /** Undefined where it was never planned. */
  async #reached(): Promise<DrawingJob | undefined> {
    return this.#drawing?.job().catch(() => undefined);
  }

  async #begin(model: Model, signal: AbortSignal): Promise<Drawing> {
    const { request } = this.#claimed.record;
    const draft = await this.#draft();
    if (draft !== undefined) {
      const drawing = model.resume(draft.job, { signal });
      try {
        await drawing.notes();
        this.#shown = draft.shown;
        return drawing;
      } catch (error) {
        // Of another model, or not whole. What else befell it would befall a new one, too.
        if (!(error instanceof DataFormatError || (error instanceof InputError && error.where === "job"))) {
          throw error;
        }
        this.#surroundings.onNotice({ kind: "draft dropped", error });
      }
    }
    const options = await drawOptionsOf(request, model, this.#surroundings.sources, signal);
    return model.start(request.prompt, options);
  }

  /** Of this run, or as another left it. */
  async #draft(): Promise<Draft | undefined> {
    const job = await this.#reached();
    if (job !== undefined) return { job, shown: this.#shown };
    const bytes = await this.#surroundings.sources.blobs.drafts.get(this.#id);
    if (bytes === undefined) return undefined;
    try {
      const { job: parsed, own } = parseJob(bytes, "draft");
      return { job: parsed, shown: shownOf(own) };
    } catch (error) {
      this.#surroundings.onNotice({ kind: "draft dropped", error: typedError(error) });
      return undefined;
    }
  }

  async #follow(drawing: Drawing, tokenSide: number, paste: PasteBack | undefined): Promise<void> {
    const { request } = this.#claimed.record;
    const { blobs } = this.#surroundings.sources;
    const ofRows = request.native.height / tokenSide;
    const pace = new Pace();
    const looks = new Looks({
      asked: request.asked,
      previews: request.previews,
      shown: this.#shown,
      paste,
      put: (png) => blobs.put(png),
      show: async (preview) => {
        await this.#claimed.preview(preview);
        this.#shown = preview;
      },
    });
    this.#looks = looks;
    let savedRows = 0;
    for await (const progress of drawing) {
      const { token, of, rows } = progress;
      looks.follow(progress, ofRows);
      this.#claimed.progress({ token, of, rows, ofRows, secondsLeft: pace.secondsLeft(token, of) });
      if (rows > savedRows && rows < ofRows && this.#isDraftDue()) {
        savedRows = rows;
        this.#saveBeside(progress);
      }
    }
    await looks.settled();
  }

  #isDraftDue(): boolean {
    const period = this.#claimed.record.attempts > 1 ? DRAFT_AGAIN_MS : DRAFT_MS;
    return this.#saving === undefined && performance.now() - this.#savedAt >= period;
  }

  #saveBeside(progress: DrawingProgress): void {
    this.#saving = this.#save(progress.job()).finally(() => {
      this.#saving = undefined;
    });
  }

  async #save(job: DrawingJob): Promise<void> {
    try {
      await this.#put(job);
    } catch (error) {
      this.#surroundings.onNotice({ kind: "draft not saved", error: typedError(error) });
    }
    this.#savedAt = performance.now();
  }

  async #put(job: DrawingJob): Promise<void> {
    const { number, rows } = this.#shown;
    const own: DraftOwn = { shown: { number, rows } };
    await this.#surroundings.sources.blobs.drafts.put(this.#id, encodeJob({ job, own }));
  }

  async #store(pictures: readonly Picture[], paste: PasteBack | undefined): Promise<readonly NewPicture[]> {
    const { request } = this.#claimed.record;
    const { sources } = this.#surroundings;
    const stored: NewPicture[] = [];
    // One after the other: each may be large.
    for (const [index, picture] of pictures.entries()) {
      stored.push(await storePicture(picture, index, request, paste, sources.blobs));
    }
    return stored;
  }
}

function shownOf(own: unknown): ShownLook {
  const shown = isJsonObject(own) ? own.shown : undefined;
  if (!isJsonObject(shown)) return NOT_SHOWN;
  const { number, rows } = shown;
  return Number.isSafeInteger(number) && Number.isSafeInteger(rows)
    ? { number: Number(number), rows: Number(rows) }
    : NOT_SHOWN;
}
