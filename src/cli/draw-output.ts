/** @file What becomes of drawn pictures: files, a look at them, JSON, tokens. */
import { resolve } from "node:path";
import { InputError, NextStepError } from "../errors.ts";
import { writeSafetensors } from "../files/safetensors-files.ts";
import { tensorsToWrite } from "../formats/tensor-source.ts";
import type { Picture } from "../generate/picture.ts";
import type { BestPicture } from "../generate/score-plan.ts";
import { float32Tensor } from "../tensor/tensor.ts";
import type { OutputOptions } from "./draw-options.ts";
import { findPicture, type PlaceOnDisk, promptSlug, writePicture } from "./picture-file.ts";
import type { Terminal } from "./terminal.ts";
import { colorDepthOf, renderPreview } from "./terminal-preview.ts";

/** Widest preview, in character cells. */
const PREVIEW_COLUMNS = 48;
/** Previews of many pictures push everything else off the screen. */
const MAX_PREVIEWS = 4;

/** Names, behind a look at the picture where the terminal can show it. */
export function showPictures(
  saved: readonly SavedPicture[],
  { preview }: Pick<OutputOptions, "preview">,
  terminal: Terminal,
): void {
  const { out, environment } = terminal;
  const depth = preview ? colorDepthOf(out, environment) : undefined;
  for (const [index, { picture, file }] of saved.entries()) {
    if (depth !== undefined && index < MAX_PREVIEWS) {
      const columns = Math.min(PREVIEW_COLUMNS, out.columns || PREVIEW_COLUMNS);
      out.write(`${renderPreview(picture.pixels, columns, depth)}\n`);
    }
    out.write(`${file}\n`);
  }
}

export interface SavedPicture {
  readonly picture: Picture;
  readonly file: string;
}

export interface FailedSave {
  readonly picture: Picture;
  readonly error: NextStepError;
}

/**
 * Tries every picture: where one finds no room, another may, and what is saved must be told.
 * @param again whether an earlier process may have saved some: those are found by their bytes.
 */
export async function writePictures(
  target: PlaceOnDisk,
  pictures: readonly Picture[],
  again = false,
): Promise<{ readonly saved: readonly SavedPicture[]; readonly failures: readonly FailedSave[] }> {
  const saved: SavedPicture[] = [];
  const failures: FailedSave[] = [];
  for (const picture of pictures) {
    try {
      const stem = `${promptSlug(picture.prompt)}-${picture.seed}`;
      const png = await picture.toPng();
      const found = again ? await findPicture(target, stem, png) : undefined;
      saved.push({ picture, file: found ?? (await writePicture(target, stem, png)) });
    } catch (error) {
      if (!(error instanceof NextStepError)) throw error;
      failures.push({ picture, error });
    }
  }
  return { saved, failures };
}

/**
 * What brings back what could not be saved.
 * @param isKept whether a job holds it; else seeds do.
 */
export function notSaved(failures: readonly FailedSave[], of: number, isKept: boolean): Error {
  const [first] = failures;
  const { where, reason } = first?.error ?? {};
  const seeds = failures.map(({ picture }) => picture.seed).join(", ");
  return new InputError(`${reason}; ${failures.length} of ${of} pictures are not saved`, {
    ...(where === undefined ? {} : { where }),
    remedy: isKept
      ? "make room, and `nextstep resume` saves them"
      : `make room or give another --out, and draw with seed ${seeds} again`,
    cause: first?.error,
  });
}

/** @param best the scores among which the pictures were the best, if they were chosen */
export function report(
  saved: readonly SavedPicture[],
  seconds: number,
  best: readonly BestPicture[] = [],
): unknown {
  return {
    seconds: Number(seconds.toFixed(3)),
    pictures: saved.map(({ picture, file }) => {
      const chosen = best.find((own) => own.picture === picture);
      return {
        file: resolve(file),
        ...picture.recipe,
        notes: picture.notes,
        ...(chosen === undefined ? {} : { scores: chosen.scores }),
      };
    }),
  };
}

/** tokens [n, S, 64], latents [n, channels, h, w], image [n, 3, H, W], each as drawn, before any rounding. */
export async function saveTokens(path: string, pictures: readonly Picture[]): Promise<void> {
  const [first] = pictures;
  if (first === undefined) return;
  const { grid, pixels, tokens, latentShape } = first;
  const count = pictures.length;
  const stack = (pick: (picture: Picture) => Float32Array): Float32Array => {
    const size = pick(first).length;
    const all = new Float32Array(count * size);
    pictures.forEach((picture, index) => {
      all.set(pick(picture), index * size);
    });
    return all;
  };
  const area = grid[0] * grid[1];
  await writeSafetensors(
    path,
    tensorsToWrite([
      [
        "tokens",
        float32Tensor(
          [count, area, tokens.length / area],
          stack((picture) => picture.tokens),
        ),
      ],
      [
        "latents",
        float32Tensor(
          [count, ...latentShape],
          stack((picture) => picture.latents),
        ),
      ],
      [
        "image",
        float32Tensor(
          [count, 3, pixels.height, pixels.width],
          stack((picture) => picture.planes),
        ),
      ],
    ]),
  );
}
