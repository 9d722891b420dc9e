/** @file How long a drawing still takes, by the tokens that it has just drawn. */

/** Share of the newest token in the mean: company comes and goes, and with it the pace. */
const NEWEST = 0.1;

export class Pace {
  readonly #now: () => number;
  #last: { readonly token: number; readonly at: number } | undefined;
  #secondsEach: number | undefined;

  /** @param now seconds */
  constructor(now: () => number = () => performance.now() / 1000) {
    this.#now = now;
  }

  /** Seconds that are left behind token `token` of `of`; null before two tokens were seen. */
  secondsLeft(token: number, of: number): number | null {
    const at = this.#now();
    if (this.#last !== undefined && token > this.#last.token) {
      const each = (at - this.#last.at) / (token - this.#last.token);
      this.#secondsEach =
        this.#secondsEach === undefined ? each : this.#secondsEach + NEWEST * (each - this.#secondsEach);
    }
    this.#last = { token, at };
    return this.#secondsEach === undefined ? null : this.#secondsEach * (of - token);
  }
}
