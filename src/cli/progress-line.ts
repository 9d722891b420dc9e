/** @file A live progress line with an estimate of the time left, on a stream that a person watches. */

import { ERASE_LINE, fitted, formatDuration, type ProgressStream, rewritesLines } from "./progress-stream.ts";
import type { Terminal } from "./terminal.ts";

const BAR_WIDTH = 24;
/** Redraws a second at most: more only flickers. */
const REDRAW_MS = 80;

/** A line is added this often where none can be redrawn. */
export const PLAIN_PERIOD_MS = 10_000;

/** A line on what a person watches. */
export function progressLine({ err, environment }: Pick<Terminal, "err" | "environment">): ProgressLine {
  return new ProgressLine(err, rewritesLines(err, environment));
}

/** One line that is redrawn in place where that is possible; elsewhere work that takes long adds one now and then. */
export class ProgressLine {
  readonly #stream: ProgressStream;
  readonly #isLive: boolean;
  readonly #now: () => number;
  #startedAt: number | undefined;
  #startedDone = 0;
  #drawnAt = Number.NEGATIVE_INFINITY;
  #visible = false;

  /** @param isLive whether lines can be redrawn on `stream`. */
  constructor(stream: ProgressStream, isLive: boolean, now: () => number = () => performance.now()) {
    this.#stream = stream;
    this.#isLive = isLive;
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
    const now = this.#now();
    if (this.#startedAt === undefined) {
      this.#startedAt = now;
      this.#startedDone = done;
      // The first lines come when it is known to take long.
      if (!this.#isLive) this.#drawnAt = now;
    }
    if (now - this.#drawnAt < (this.#isLive ? REDRAW_MS : PLAIN_PERIOD_MS)) {
      if (!this.#isLive || done < total) return;
    }
    this.#drawnAt = now;
    const rate = (done - this.#startedDone) / Math.max(1, now - this.#startedAt);
    const left = rate > 0 ? `, ${formatDuration((total - done) / rate / 1000)} left` : "";
    const beside = pace === undefined ? "" : `, ${pace}`;
    const counts = `${format(done)}/${format(total)}${beside}${left}`;
    if (!this.#isLive) {
      this.#stream.write(`${label} ${counts}\n`);
      return;
    }
    const filled = Math.round((BAR_WIDTH * done) / Math.max(1, total));
    const bar = "█".repeat(filled) + "░".repeat(BAR_WIDTH - filled);
    this.show(`${label} ${bar} ${counts}`);
  }

  /** Replaces the line by `text`, cut to the terminal's width. */
  show(text: string): void {
    if (!this.#isLive) return;
    this.#visible = true;
    this.#stream.write(ERASE_LINE + fitted(text, this.#stream));
  }

  /** Removes the line until the next update, so that other lines can be written; the estimate goes on. */
  hide(): void {
    if (!this.#isLive) return;
    if (this.#visible) this.#stream.write(ERASE_LINE);
    this.#visible = false;
    this.#drawnAt = Number.NEGATIVE_INFINITY;
  }

  /** Removes the line, and forgets the estimate. */
  clear(): void {
    this.hide();
    this.#startedAt = undefined;
  }
}
