/** @file All pictures of a folder of tars, without their captions. */
import { readdir, stat } from "node:fs/promises";
import { join } from "node:path";
import { DataFormatError } from "../errors.ts";
import { FileSource } from "../formats/byte-source.ts";
import { readTarIndex, type TarEntry } from "../formats/tar.ts";
import { groupTarSamples } from "../formats/tar-sample.ts";
import { decodeImage } from "../image/decode-image.ts";
import type { RgbImage } from "../image/pixels.ts";
import type { PictureSource } from "./picture-store.ts";

interface PicturePlace {
  readonly file: FileSource;
  readonly entry: TarEntry;
}

/** Pictures of tars, in the order of file names and of the archives. */
export class TarPictures implements PictureSource, AsyncDisposable {
  readonly #files: readonly FileSource[];
  readonly #places: readonly PicturePlace[];

  private constructor(files: readonly FileSource[], places: readonly PicturePlace[]) {
    this.#files = files;
    this.#places = places;
  }

  /**
   * @param path a tar, or a folder that holds tars.
   * @throws DataFormatError when there is no tar or one is damaged.
   */
  static async open(path: string): Promise<TarPictures> {
    const isFolder = (await stat(path).catch(() => undefined))?.isDirectory() === true;
    const names = isFolder ? (await readdir(path)).filter((name) => name.endsWith(".tar")).sort() : [""];
    if (names.length === 0) {
      throw new DataFormatError("holds no .tar file", { where: path, remedy: "make one with nextstep data" });
    }
    const files: FileSource[] = [];
    const places: PicturePlace[] = [];
    try {
      for (const name of names) {
        const file = await FileSource.open(join(path, name));
        files.push(file);
        for (const sample of groupTarSamples(await readTarIndex(file))) {
          for (const entry of sample.images) places.push({ file, entry });
        }
      }
    } catch (error) {
      for (const file of files) await file.close();
      throw error;
    }
    return new TarPictures(files, places);
  }

  get length(): number {
    return this.#places.length;
  }

  async pictureAt(index: number): Promise<RgbImage> {
    const { file, entry } = this.#places[index]!;
    return decodeImage(await file.read(entry.offset, entry.size), `${file.name}: ${entry.name}`);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const file of this.#files) await file.close();
  }
}
