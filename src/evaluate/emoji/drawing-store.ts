/** @file Pictures of an evaluation that are kept, so that one that was stopped goes on where it was. */
import { join } from "node:path";
import { replaceFile } from "../../files/replacement-file.ts";
import type { RgbImage } from "../../image/pixels.ts";
import { makeRunFolder, type RunIdentity, readWholePicture, settleRun } from "../run-folder.ts";

const IDENTITY_FILE = "evaluation-run.json";

/** A folder of PNG files by name, or nothing at all. */
export class DrawingStore {
  readonly #folder: string | undefined;

  private constructor(folder: string | undefined) {
    this.#folder = folder;
  }

  /**
   * Opens or makes the folder; without one, nothing is kept.
   * @throws ConfigError when the folder holds the pictures of another model, seed or size.
   */
  static async open(folder: string | undefined, identity: RunIdentity): Promise<DrawingStore> {
    if (folder === undefined) return new DrawingStore(undefined);
    await makeRunFolder(folder);
    await settleRun(folder, {
      file: IDENTITY_FILE,
      identity,
      refusal: "holds the pictures of another model, seed, size or settings",
      remedy: "name another folder for this evaluation",
    });
    return new DrawingStore(folder);
  }

  /** The picture of a name like "singles/red-apple-1f34", or undefined; a damaged file counts as none. */
  async get(name: string): Promise<RgbImage | undefined> {
    return this.#folder === undefined ? undefined : readWholePicture(this.#pathOf(name));
  }

  /** Keeps a picture, whole or not at all. */
  async put(name: string, toPng: () => Promise<Uint8Array>): Promise<void> {
    if (this.#folder === undefined) return;
    const png = await toPng();
    await replaceFile(this.#pathOf(name), (file) => file.write(png));
  }

  #pathOf(name: string): string {
    return join(this.#folder!, `${name}.png`);
  }
}
