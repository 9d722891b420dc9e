/** @file The pairs of a folder as samples of two pictures each, the winner first. */
import { createHash } from "node:crypto";
import { decodeImage } from "../../files/decode-image.ts";
import { readWholeFile } from "../../files/file-source.ts";
import { MAX_PICTURE_BYTES } from "../../image/picture-format.ts";
import type { RgbImage } from "../../image/pixels.ts";
import type { PictureSource } from "../model/latent-store.ts";
import { type PlacedPair, readPairs } from "./pair-file.ts";

/** Bytes of pictures that are read for the digest; of those behind, names and sizes alone count. */
const MAX_DIGESTED_BYTES = 16 * 2 ** 30;

export class PairFolder implements PictureSource {
  readonly pairs: readonly PlacedPair[];

  private constructor(pairs: readonly PlacedPair[]) {
    this.pairs = pairs;
  }

  /** @throws what {@link readPairs} throws. */
  static async open(folder: string): Promise<PairFolder> {
    return new PairFolder(await readPairs(folder));
  }

  get length(): number {
    return this.pairs.length;
  }

  /** @throws InputError for a picture that is not there. */
  async encodedImagesAt(index: number): Promise<Uint8Array[]> {
    return Promise.all(this.#pathsAt(index).map((path) => readWholeFile(path, MAX_PICTURE_BYTES)));
  }

  /** @throws DataFormatError for a picture that is damaged. */
  async imagesAt(index: number): Promise<RgbImage[]> {
    const paths = this.#pathsAt(index);
    const encoded = await this.encodedImagesAt(index);
    return Promise.all(encoded.map((bytes, image) => decodeImage(bytes, paths[image] as string)));
  }

  /**
   * SHA-256 of prompts and pictures, wherever the folder lies. Reads all of them, so that one that is not there is found
   * before training begins.
   */
  async fingerprint(): Promise<string> {
    const hash = createHash("sha256");
    let left = MAX_DIGESTED_BYTES;
    for (const [index, { prompt }] of this.pairs.entries()) {
      hash.update(JSON.stringify(prompt));
      for (const bytes of await this.encodedImagesAt(index)) {
        hash.update(JSON.stringify(bytes.length));
        if (bytes.length <= left) hash.update(bytes);
        left -= bytes.length;
      }
    }
    return hash.digest("hex");
  }

  #pathsAt(index: number): readonly string[] {
    const { winnerPath, loserPath } = this.pairs[index] as PlacedPair;
    return [winnerPath, loserPath];
  }
}
