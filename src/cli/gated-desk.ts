/** @file A desk that hands out jobs only when whoever draws them is able to. */
import type { ClaimedJob, JobDesk } from "../serve/contract/job-queue.ts";

/**
 * Who has just come up and has not drawn yet leaves jobs to others, and a job that was claimed by one that is killed then
 * would count as one that ended it. Disposing it ends all waiting: nothing is handed out any more.
 */
export class GatedDesk implements JobDesk, Disposable {
  readonly #desk: JobDesk;
  readonly #isOpen: Promise<boolean>;
  #decide = (_isOpen: boolean): void => {};

  constructor(desk: JobDesk) {
    this.#desk = desk;
    this.#isOpen = new Promise((resolve) => {
      this.#decide = resolve;
    });
  }

  open(): void {
    this.#decide(true);
  }

  async claim(worker: string, model: string): Promise<ClaimedJob | undefined> {
    return (await this.#isOpen) ? this.#desk.claim(worker, model) : undefined;
  }

  async wait(signal: AbortSignal): Promise<void> {
    if (await this.#isOpen) return this.#desk.wait(signal);
    await new Promise<void>((resolve) => {
      if (signal.aborted) resolve();
      else signal.addEventListener("abort", () => resolve(), { once: true });
    });
  }

  [Symbol.dispose](): void {
    this.#decide(false);
  }
}
