/** @file Pictures of an evaluation that are kept, so that one that was stopped goes on where it was. */
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { ConfigError, DataFormatError } from "../../errors.ts";
import { decodeImage } from "../../files/decode-image.ts";
import { makeFolder } from "../../files/make-folder.ts";
import { replaceFile, replaceText } from "../../files/replacement-file.ts";
import { hasCode, writeFailure } from "../../files/write-failure.ts";
import type { RgbImage } from "../../image/pixels.ts";

/** What the pictures depend on beside their own names. */
export type RunIdentity = Readonly<Record<string, unknown>>;

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
    await makeFolder(folder).catch((error: unknown) => {
      throw writeFailure(error, folder);
    });
    const path = join(folder, IDENTITY_FILE);
    const text = `${JSON.stringify(identity, null, 2)}\n`;
    const known = await readIfThere(path);
    if (known === undefined) {
      await replaceText(path, text);
    } else if (new TextDecoder().decode(known) !== text) {
      throw new ConfigError("holds the pictures of another model, seed, size or settings", {
        where: folder,
        remedy: "name another folder for this evaluation",
      });
    }
    return new DrawingStore(folder);
  }

  /** The picture of a name like "singles/red-apple-1f34", or undefined; a damaged file counts as none. */
  async get(name: string): Promise<RgbImage | undefined> {
    if (this.#folder === undefined) return undefined;
    const path = this.#pathOf(name);
    const bytes = await readIfThere(path);
    if (bytes === undefined) return undefined;
    try {
      return await decodeImage(bytes, path);
    } catch (error) {
      if (error instanceof DataFormatError) return undefined;
      throw error;
    }
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

async function readIfThere(path: string): Promise<Uint8Array | undefined> {
  try {
    return await readFile(path);
  } catch (error) {
    if (hasCode(error, "ENOENT")) return undefined;
    throw error;
  }
}
