/** @file A picture with many channels, read and written in bands of rows, a channel a buffer: they can change hands. */

export class PicturePlanes {
  /** Of each channel, [height * width]. */
  readonly channels: readonly Float32Array[];
  readonly height: number;
  readonly width: number;
  /** Copy of a row that was overwritten, which the next band still needs as its context. [channels * width] */
  #before: { readonly row: number; readonly data: Float32Array } | undefined;

  constructor(channels: readonly Float32Array[], height: number, width: number) {
    this.channels = channels;
    this.height = height;
    this.width = width;
  }

  /** @param reuse buffers of the right size, taken first. */
  static create(
    channels: number,
    height: number,
    width: number,
    reuse: readonly Float32Array[] = [],
  ): PicturePlanes {
    const size = height * width;
    const fitting = reuse.filter(({ length }) => length === size);
    const buffers = Array.from(
      { length: channels },
      (_, channel) => fitting[channel] ?? new Float32Array(size),
    );
    return new PicturePlanes(buffers, height, width);
  }

  /** A picture [channels, height, width], without copying. */
  static of(data: Float32Array, channels: number, height: number, width: number): PicturePlanes {
    const size = height * width;
    const parts = Array.from({ length: channels }, (_, c) => data.subarray(c * size, (c + 1) * size));
    return new PicturePlanes(parts, height, width);
  }

  /**
   * Blocks of pixels as channels, as pixel-shuffle.ts orders them. [c, f h, f w] -> [c f f, h, w]
   * @param factor side of a block, which divides both sides.
   */
  unshuffled(factor: number): PicturePlanes {
    if (factor === 1) return this;
    const [height, width] = [this.height / factor, this.width / factor];
    const parts = this.channels.flatMap((channel) =>
      Array.from({ length: factor ** 2 }, (_, place) => {
        const [row, column] = [Math.floor(place / factor), place % factor];
        const part = new Float32Array(height * width);
        for (let i = 0; i < part.length; i++) {
          const [y, x] = [Math.floor(i / width) * factor + row, (i % width) * factor + column];
          part[i] = channel[y * this.width + x]!;
        }
        return part;
      }),
    );
    return new PicturePlanes(parts, height, width);
  }

  /** The inverse of {@link unshuffled}. [c f f, h, w] -> [c, f h, f w] */
  shuffled(factor: number): PicturePlanes {
    if (factor === 1) return this;
    const [height, width] = [this.height * factor, this.width * factor];
    const channels = this.channels.length / factor ** 2;
    const whole = PicturePlanes.create(channels, height, width);
    this.channels.forEach((part, index) => {
      const place = index % factor ** 2;
      const [row, column] = [Math.floor(place / factor), place % factor];
      const channel = whole.channels[Math.floor(index / factor ** 2)]!;
      for (let i = 0; i < part.length; i++) {
        const [y, x] = [Math.floor(i / this.width) * factor + row, (i % this.width) * factor + column];
        channel[y * width + x] = part[i]!;
      }
    });
    return whole;
  }

  /** Rows `from` to `to` (exclusive) of all channels, zeros beyond the picture. [channels, to - from, width] */
  read(from: number, to: number): Float32Array {
    const { width, height } = this;
    const rows = to - from;
    const data = new Float32Array(this.channels.length * rows * width);
    const [first, last] = [Math.max(0, from), Math.min(height, to)];
    const before = this.#before;
    this.channels.forEach((channel, c) => {
      const start = c * rows * width;
      data.set(channel.subarray(first * width, last * width), start + (first - from) * width);
      if (before !== undefined && before.row >= first && before.row < last) {
        data.set(before.data.subarray(c * width, (c + 1) * width), start + (before.row - from) * width);
      }
    });
    return data;
  }

  /** Keeps row `row` as it is now for later reading, until {@link forget}. */
  remember(row: number): void {
    this.forget();
    this.#before = { row, data: this.read(row, row + 1) };
  }

  /** Reads only what is in place from now on. */
  forget(): void {
    this.#before = undefined;
  }

  /** Puts rows from `from` on in place. data [channels, rows, width] */
  write(from: number, data: Float32Array): void {
    const length = data.length / this.channels.length;
    this.channels.forEach((channel, c) => {
      channel.set(data.subarray(c * length, (c + 1) * length), from * this.width);
    });
  }

  /** [channels, height, width] */
  joined(): Float32Array {
    return this.read(0, this.height);
  }
}
