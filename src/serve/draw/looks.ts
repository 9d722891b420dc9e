/** @file Looks at the pictures of a job while they are drawn, shown through the store. */
import type { DrawingProgress } from "../../generate/drawing.ts";
import type { DrawRequest } from "../contract/draw-request.ts";
import type { JobPreview } from "../contract/job.ts";
import { type PasteBack, pasteBack } from "./paste-back.ts";
import { plainPng, stretched } from "./picture-file.ts";

/** A look: its number among all of the job, and the rows that it showed. Both 0 before the first. */
export type ShownLook = Pick<JobPreview, "number" | "rows">;

export interface LooksOptions {
  readonly asked: DrawRequest["asked"];
  readonly previews: DrawRequest["previews"];
  /** The look that was shown last, before this run. */
  readonly shown: ShownLook;
  /** What of the pictures is a source's own, in their looks too, also where nothing is drawn yet. */
  readonly paste: PasteBack | undefined;
  put(png: Uint8Array): Promise<string>;
  show(preview: JobPreview): Promise<void>;
}

/**
 * As many looks as asked for, spread evenly over the rows; or one for each row as it is whole, but only when the one before has
 * been shown, so that looking never falls behind. A look that fails is left out: the drawing itself says what is wrong.
 */
export class Looks {
  readonly #options: LooksOptions;
  /** Of the look that was begun last. */
  #number: number;
  #rows: number;
  #last: Promise<void> = Promise.resolve();
  #showing = false;

  constructor(options: LooksOptions) {
    this.#options = options;
    this.#number = options.shown.number;
    this.#rows = options.shown.rows;
  }

  /** After each token. */
  follow(progress: Pick<DrawingProgress, "rows" | "preview">, ofRows: number): void {
    const { previews } = this.#options;
    const { rows } = progress;
    if (rows <= this.#rows || rows >= ofRows) return;
    const isDue =
      previews === "rows"
        ? !this.#showing
        : turns(previews, ofRows).some((turn) => turn > this.#rows && turn <= rows);
    if (!isDue) return;
    this.#rows = rows;
    const number = ++this.#number;
    this.#showing = true;
    this.#last = this.#last
      .then(() => this.#show(progress, number))
      .catch(() => {})
      .finally(() => {
        this.#showing = number < this.#number;
      });
  }

  /** Resolves when all looks are shown that were asked for by number. */
  async settled(): Promise<void> {
    if (this.#options.previews !== "rows") await this.#last;
  }

  /** Resolves when nothing is being shown any more. */
  ended(): Promise<void> {
    return this.#last;
  }

  async #show({ rows, preview }: Pick<DrawingProgress, "rows" | "preview">, number: number): Promise<void> {
    const { asked, paste, put, show } = this.#options;
    const blobs: string[] = [];
    for (const image of await preview()) {
      const drawn = await stretched(image, asked);
      blobs.push(await put(await plainPng(paste === undefined ? drawn : pasteBack(drawn, paste))));
    }
    await show({ number, rows, blobs });
  }
}

/** Rows after which looks are due: of 8 rows and three looks, 2, 4 and 6. Small pictures have fewer. */
function turns(looks: number, rows: number): readonly number[] {
  return Array.from({ length: looks }, (_, look) =>
    Math.max(1, Math.round(((look + 1) * rows) / (looks + 1))),
  );
}
