/** @file Exponential moving average of weights. */
import type { NamedBuffer } from "./trainable.ts";

export class MovingAverage {
  readonly decay: number;
  /** Averages under the names of the weights. */
  readonly averages: readonly NamedBuffer[];
  readonly #weights: readonly NamedBuffer[];

  /** Starts at the weights' present values. `decay` in [0, 1). */
  constructor(weights: readonly NamedBuffer[], decay: number) {
    this.decay = decay;
    this.#weights = weights;
    this.averages = weights.map(({ name, shape, data }) => ({ name, shape, data: data.slice() }));
  }

  /**
   * average += (1 - d) * (weight - average), once after every update of the weights. d rises to `decay` as
   * (1 + update) / (10 + update), so that a short run does not keep its first weights.
   * @param update 1 for the first update of the run.
   */
  update(update: number): void {
    const gain = 1 - Math.min(this.decay, (1 + update) / (10 + update));
    this.averages.forEach(({ data: average }, index) => {
      const { data } = this.#weights[index]!;
      for (let i = 0; i < average.length; i++) average[i] = average[i]! + gain * (data[i]! - average[i]!);
    });
  }
}
