/** @file How fast something goes, and what is left of it. */
import { formatDuration } from "./progress-stream.ts";

/** Counts from what was there at first. */
export class Pace {
  readonly #now: () => number;
  readonly #startedAt: number;
  #first: number | undefined;
  #perSecond = 0;
  #done = 0;

  constructor(now: () => number = () => performance.now()) {
    this.#now = now;
    this.#startedAt = now();
  }

  /** @returns the mean since the start, a second. */
  add(done: number): number {
    this.#first ??= done;
    this.#done = done;
    const seconds = Math.max(0.001, (this.#now() - this.#startedAt) / 1000);
    this.#perSecond = Math.max(0, (done - this.#first) / seconds);
    return this.#perSecond;
  }

  /** Seconds to the end; undefined as long as nothing moved. */
  secondsTo(total: number): number | undefined {
    return this.#perSecond > 0 ? (total - this.#done) / this.#perSecond : undefined;
  }

  /** `, 3m20s left`; nothing as long as nothing moved. */
  left(total: number): string {
    const seconds = this.secondsTo(total);
    return seconds === undefined ? "" : `, ${formatDuration(seconds)} left`;
  }
}
