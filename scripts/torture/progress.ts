/** @file How far the torture is, and how long it will take. */
import { formatDuration, type ProgressStream } from "../../src/cli/progress-stream.ts";

/** A line is added this often where it cannot be rewritten. */
const PLAIN_PERIOD_MS = 10_000;

export class TortureProgress {
  readonly #stream: ProgressStream;
  readonly #total: number;
  readonly #started = performance.now();
  #done = 0;
  #shown = performance.now();

  constructor(stream: ProgressStream, total: number) {
    this.#stream = stream;
    this.#total = total;
  }

  /** One trial more. */
  advance(scenario: string): void {
    this.#done++;
    const now = performance.now();
    const isLive = this.#stream.isTTY === true;
    if (!isLive && now - this.#shown < PLAIN_PERIOD_MS) return;
    this.#shown = now;
    const left = ((now - this.#started) / this.#done) * (this.#total - this.#done);
    const text = `${this.#done}/${this.#total} trials, ${scenario}, ETA ${formatDuration(left / 1000)}`;
    this.#stream.write(isLive ? `\r\u001b[2K${text}` : `${text}\n`);
  }

  clear(): void {
    if (this.#stream.isTTY === true) this.#stream.write("\r\u001b[2K");
  }
}
