/** @file Pictures of a data set as squares of one size, decoded once and kept as bytes while they fit. */
import { DataFormatError } from "../../errors.ts";
import type { RgbImage } from "../../image/pixels.ts";
import { squareCrop } from "../../image/resize.ts";
import type { TarDataset } from "../data/dataset-reader.ts";

/** Where pictures come from, by index from 0. */
export interface PictureSource {
  readonly length: number;
  pictureAt(index: number): Promise<RgbImage>;
}

/** The first picture of every sample. */
export function firstPictures(dataset: TarDataset): PictureSource {
  return {
    length: dataset.length,
    async pictureAt(index) {
      const [first] = await dataset.imagesAt(index);
      if (first === undefined) {
        const { where } = await dataset.textAt(index);
        throw new DataFormatError("has no picture", { where, remedy: "leave such samples out of the data" });
      }
      return first;
    },
  };
}

export class PictureStore {
  readonly #source: PictureSource;
  readonly #side: number;
  readonly #capacity: number;
  readonly #kept = new Map<number, RgbImage>();

  /**
   * @param side sides of the squares that pictures are cropped and scaled to, in pixels.
   * @param maxBytes bound on what is kept; pictures beyond it are decoded at every visit.
   * @throws DataFormatError when the source is empty.
   */
  constructor(source: PictureSource, side: number, maxBytes: number) {
    if (source.length === 0) throw new DataFormatError("holds no pictures", { where: "data" });
    this.#source = source;
    this.#side = side;
    this.#capacity = Math.floor(maxBytes / (3 * side * side));
  }

  get length(): number {
    return this.#source.length;
  }

  /** The picture as a square. Throws as its source does. */
  async at(index: number): Promise<RgbImage> {
    const kept = this.#kept.get(index);
    if (kept !== undefined) return kept;
    const picture = await this.#source.pictureAt(index);
    const isSquare = picture.width === this.#side && picture.height === this.#side;
    const square = isSquare ? picture : squareCrop(picture, this.#side);
    // Whoever comes first stays: in a cycle through everything, replacing old by new would never hit.
    if (this.#kept.size < this.#capacity) this.#kept.set(index, square);
    return square;
  }

  /** The first `count` pictures, or all if there are fewer. */
  async first(count: number): Promise<RgbImage[]> {
    const pictures: RgbImage[] = [];
    for (let index = 0; index < Math.min(count, this.length); index++) pictures.push(await this.at(index));
    return pictures;
  }
}
