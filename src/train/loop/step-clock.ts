/** @file How long a step takes, for the rate and the remaining time that a run reports. */

/** Weight of the newest step in the running mean. */
const GAIN = 0.05;

/** A running mean of step times. The first one counts only until there is a second: graphs are built in it. */
export class StepClock {
  #steps = 0;
  #mean = 0;

  add(milliseconds: number): void {
    this.#mean = this.#steps < 2 ? milliseconds : this.#mean + GAIN * (milliseconds - this.#mean);
    this.#steps++;
  }

  /** 0 before the first step. */
  get meanMs(): number {
    return this.#mean;
  }
}
