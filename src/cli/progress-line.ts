/** @file A live progress line with an estimate of the time left, on a stream that a person watches. */

import { formatDuration, type ProgressStream } from "./progress-stream.ts";

const BAR_WIDTH = 24;
/** Redraws a second at most: more only flickers. */
const REDRAW_MS = 80;

/** One line that is redrawn in place on a terminal and stays silent elsewhere. */
export class ProgressLine {
  readonly #stream: ProgressStream;
  readonly #now: () => number;
  #startedAt: number | undefined;
  #startedDone = 0;
  #drawnAt = Number.NEGATIVE_INFINITY;
  #visible = false;

  constructor(stream: ProgressStream, now: () => number = () => performance.now()) {
    this.#stream = stream;
    this.#now = now;
  }

  /**
   * Shows `done` of `total`; the estimate counts from the first call, so that loading is not counted as drawing.
   * @param more how the counts are written, and a rate beside them.
   */
  update(
    label: string,
    done: number,
    total: number,
    { format = String, pace }: { readonly format?: (count: number) => string; readonly pace?: string } = {},
  ): void {
    if (this.#stream.isTTY !== true) return;
    const now = this.#now();
    if (this.#startedAt === undefined) {
      this.#startedAt = now;
      this.#startedDone = done;
    }
    if (now - this.#drawnAt < REDRAW_MS && done < total) return;
    this.#drawnAt = now;
    const rate = (done - this.#startedDone) / Math.max(1, now - this.#startedAt);
    const left = rate > 0 ? `, ${formatDuration((total - done) / rate / 1000)} left` : "";
    const filled = Math.round((BAR_WIDTH * done) / Math.max(1, total));
    const bar = "█".repeat(filled) + "░".repeat(BAR_WIDTH - filled);
    const beside = pace === undefined ? "" : `, ${pace}`;
    this.show(`${label} ${bar} ${format(done)}/${format(total)}${beside}${left}`);
  }

  /** Replaces the line by `text`, cut to the terminal's width. */
  show(text: string): void {
    if (this.#stream.isTTY !== true) return;
    this.#visible = true;
    this.#stream.write(`\r\u001b[2K${text.slice(0, (this.#stream.columns || 80) - 1)}`);
  }

  /** Removes the line until the next update, so that other lines can be written; the estimate goes on. */
  hide(): void {
    if (this.#visible) this.#stream.write("\r\u001b[2K");
    this.#visible = false;
    this.#drawnAt = Number.NEGATIVE_INFINITY;
  }

  /** Removes the line, and forgets the estimate. */
  clear(): void {
    this.hide();
    this.#startedAt = undefined;
  }
}
