/** @file The picture so far in a file, row by row, for a viewer that follows it. */
import { NextStepError } from "../errors.ts";
import { replaceFile } from "../files/replacement-file.ts";
import { nodeZlib } from "../files/zlib.ts";
import { printable } from "../formats/quoted.ts";
import type { DrawingProgress } from "../generate/drawing.ts";
import type { Picture } from "../generate/picture.ts";
import { encodePng } from "../image/encode-png.ts";
import { gridRows, pictureGrid } from "../image/picture-grid.ts";
import type { RgbImage } from "../image/pixels.ts";
import type { Terminal } from "./terminal.ts";

/** At most this share of the time goes into looking. */
const SHARE = 0.1;

/** Follows one drawing; without a path, it does nothing. */
export class PreviewFile {
  readonly #path: string | undefined;
  readonly #terminal: Pick<Terminal, "err">;
  readonly #now: () => number;
  #rows = 0;
  /** When the next look may be taken. */
  #from = Number.NEGATIVE_INFINITY;
  #writing: Promise<void> | undefined;
  #given = false;

  constructor(
    path: string | undefined,
    terminal: Pick<Terminal, "err">,
    now: () => number = () => performance.now(),
  ) {
    this.#path = path;
    this.#terminal = terminal;
    this.#now = now;
  }

  /** After each token: looks if rows came since, and the last look is written and paid for. Does not wait for it. */
  follow(progress: DrawingProgress): void {
    if (this.#path === undefined || this.#given) return;
    if (progress.rows <= this.#rows || this.#writing !== undefined || this.#now() < this.#from) return;
    this.#rows = progress.rows;
    const started = this.#now();
    const look = async (): Promise<Uint8Array> => encodePng(together(await progress.preview()), nodeZlib);
    this.#writing = this.#write(look).finally(() => {
      const ended = this.#now();
      this.#from = ended + (ended - started) * (1 / SHARE - 1);
      this.#writing = undefined;
    });
  }

  /** In the end the file holds the picture itself; of several, all of them together. */
  async finish(pictures: readonly Picture[]): Promise<void> {
    await this.#writing;
    const [first] = pictures;
    if (first === undefined) return;
    await this.#write(async () =>
      pictures.length === 1
        ? first.toPng()
        : encodePng(together(pictures.map(({ pixels }) => pixels)), nodeZlib),
    );
  }

  /** What is being written is written to its end. */
  async leave(): Promise<void> {
    await this.#writing;
  }

  /** A look that fails is said once, and the drawing goes on. */
  async #write(look: () => Promise<Uint8Array>): Promise<void> {
    const path = this.#path;
    if (path === undefined || this.#given) return;
    try {
      const png = await look();
      await replaceFile(path, (file) => file.write(png));
    } catch (error) {
      if (!(error instanceof NextStepError)) throw error;
      // Said by the drawing itself.
      if (error.code === "aborted") return;
      this.#given = true;
      this.#terminal.err.write(`note: ${printable(error.message)}; the drawing goes on without a preview\n`);
    }
  }
}

/** Several pictures in one, about as many rows as columns. */
function together(pictures: readonly RgbImage[]): RgbImage {
  const [first] = pictures;
  if (pictures.length === 1 && first !== undefined) return first;
  return pictureGrid(gridRows(pictures, Math.ceil(Math.sqrt(pictures.length))));
}
