/** @file Pictures of a data set as squares of one size, decoded once and kept as bytes while they fit. */
import { DataFormatError } from "../../errors.ts";
import type { RgbImage } from "../../image/pixels.ts";
import { squareCrop } from "../../image/resize.ts";
import type { TarDataset } from "../data/dataset-reader.ts";
import type { FaultySamples } from "../data/faulty-samples.ts";
import { SampleError } from "../data/sample-error.ts";

/** Where pictures come from, by index from 0. */
export interface PictureSource {
  /** Path of the data set, for messages. */
  readonly path: string;
  readonly length: number;
  pictureAt(index: number): Promise<RgbImage>;
}

/** The first picture of every sample. */
export function firstPictures(dataset: TarDataset, path: string): PictureSource {
  return {
    path,
    length: dataset.length,
    async pictureAt(index) {
      const [first] = await dataset.imagesAt(index);
      if (first === undefined) {
        throw new SampleError(dataset.placeOf(index), "has no picture", {
          remedy: "leave it out of the data",
        });
      }
      return first;
    },
  };
}

export class PictureStore {
  readonly #source: PictureSource;
  readonly #side: number;
  readonly #capacity: number;
  readonly #faults: FaultySamples;
  /** Pictures that stand in for others. */
  readonly #substitutes = new Map<number, number>();
  readonly #kept = new Map<number, RgbImage>();

  /**
   * @param side sides of the squares that pictures are cropped and scaled to, in pixels.
   * @param maxBytes bound on what is kept; pictures beyond it are decoded at every visit.
   * @param faults takes note of pictures that cannot be used.
   * @throws DataFormatError when the source is empty.
   */
  constructor(source: PictureSource, side: number, maxBytes: number, faults: FaultySamples) {
    if (source.length === 0) throw new DataFormatError("holds no pictures", { where: source.path });
    this.#source = source;
    this.#side = side;
    this.#faults = faults;
    this.#capacity = Math.floor(maxBytes / (3 * side * side));
  }

  get length(): number {
    return this.#source.length;
  }

  /**
   * The picture as a square. In place of one that cannot be used stands the next that can, at every visit the same.
   * @throws DataFormatError when too many cannot be used, and what else its source throws.
   */
  async at(wanted: number): Promise<RgbImage> {
    return (await this.#usable(wanted)).picture;
  }

  /** Which picture `at` gives. Throws as `at`. */
  async usableIndex(wanted: number): Promise<number> {
    return (await this.#usable(wanted)).index;
  }

  async #usable(wanted: number): Promise<{ picture: RgbImage; index: number }> {
    const of = this.length;
    const set = this.#source.path;
    const first = this.#substitutes.get(wanted) ?? wanted;
    for (let passed = 0; passed < of; passed++) {
      const index = (first + passed) % of;
      try {
        const picture = await this.#squareAt(index);
        if (index !== wanted) this.#substitutes.set(wanted, index);
        return { picture, index };
      } catch (error) {
        this.#faults.leaveOut(error, { set, index, of });
      }
    }
    throw new DataFormatError("holds no picture that can be used", { where: set });
  }

  async #squareAt(index: number): Promise<RgbImage> {
    const kept = this.#kept.get(index);
    if (kept !== undefined) return kept;
    const picture = await this.#source.pictureAt(index);
    const isSquare = picture.width === this.#side && picture.height === this.#side;
    const square = isSquare ? picture : squareCrop(picture, this.#side);
    // Whoever comes first stays: in a cycle through everything, replacing old by new would never hit.
    if (this.#kept.size < this.#capacity) this.#kept.set(index, square);
    return square;
  }

  /** The first `count` pictures that can be used, each once, or all if there are fewer. Throws as `at`. */
  async first(count: number): Promise<RgbImage[]> {
    const pictures: RgbImage[] = [];
    for (let wanted = 0; wanted < this.length && pictures.length < count; wanted++) {
      const { picture, index } = await this.#usable(wanted);
      // Behind the last picture that can be used, the first one comes again.
      if (index < wanted) break;
      pictures.push(picture);
      wanted = index;
    }
    return pictures;
  }
}
