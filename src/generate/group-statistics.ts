/** @file Mean and variance of groups of channels over a picture that is seen band by band. */

/** Of each channel: the mean of all that was seen, and the sum of squared distances from it. */
export class GroupStatistics {
  readonly #groups: number;
  readonly #means: Float64Array;
  readonly #squares: Float64Array;
  #count = 0;

  constructor(channels: number, groups: number) {
    this.#groups = groups;
    this.#means = new Float64Array(channels);
    this.#squares = new Float64Array(channels);
  }

  /**
   * Takes in a band of `count` values a channel, by the pairwise update of Chan, Golub and LeVeque (1979), which never
   * subtracts large sums. The result depends on the order of the bands, in the last digits of float64.
   */
  add(count: number, means: Float32Array, squares: Float32Array): void {
    const total = this.#count + count;
    for (let channel = 0; channel < this.#means.length; channel++) {
      const mean = this.#means[channel] as number;
      const distance = (means[channel] as number) - mean;
      this.#means[channel] = mean + (distance * count) / total;
      const between = (distance * distance * this.#count * count) / total;
      this.#squares[channel] = (this.#squares[channel] as number) + (squares[channel] as number) + between;
    }
    this.#count = total;
  }

  /** Mean and 1 / sqrt(variance + epsilon) of each channel's group. [channels] each */
  ofChannels(epsilon: number): { readonly mean: Float32Array; readonly inverse: Float32Array } {
    const channels = this.#means.length;
    const each = channels / this.#groups;
    const mean = new Float32Array(channels);
    const inverse = new Float32Array(channels);
    for (let first = 0; first < channels; first += each) {
      const means = this.#means.subarray(first, first + each);
      const centre = means.reduce((a, b) => a + b, 0) / each;
      const within = this.#squares.subarray(first, first + each).reduce((a, b) => a + b, 0);
      const between = means.reduce((sum, value) => sum + this.#count * (value - centre) ** 2, 0);
      const variance = (within + between) / (each * this.#count);
      mean.fill(centre, first, first + each);
      inverse.fill(1 / Math.sqrt(variance + epsilon), first, first + each);
    }
    return { mean, inverse };
  }
}
