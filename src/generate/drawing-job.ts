/** @file A drawing in the middle of its work, as plain data: all that it takes to draw the rest elsewhere or later. */
import type { Grid } from "../sequence/segments.ts";
import type { Canvas } from "./canvas.ts";
import type { DrawingNote } from "./drawing-notes.ts";
import type { Recipe } from "./recipe.ts";
import { cellTokens } from "./recipe-kept.ts";

/** An input image of any of the pictures, as the model reads it: its file is not needed again. */
export interface JobImage {
  /** As recipes name it: of the sized pixels. */
  readonly sha256: string;
  readonly width: number;
  readonly height: number;
  /** [h * w, 64] */
  readonly tokens: Float32Array;
}

/** One picture of a job. */
export interface JobPicture {
  readonly recipe: Recipe;
  readonly notes: readonly DrawingNote[];
  /** The tokens of the cells that `recipe.kept` names, in raster order: [kept, 64]. */
  readonly kept?: Float32Array;
  /** The tokens of all cells that are passed, in the order in which they are drawn: [passed, 64]. */
  readonly tokens: Float32Array;
}

/** What of a job stands still while it is drawn. */
export interface JobGround {
  /** Rows and columns in tokens, the same for all pictures. */
  readonly grid: Grid;
  /** Numbers of a token. */
  readonly tokenWidth: number;
  readonly images: readonly JobImage[];
  /** SHA-256 of the numbers of given noise, float32, little-endian; absent where noise comes from the seeds. */
  readonly noise?: string;
}

/**
 * The drawing of one call: given to `model.resume`, it is drawn to its end with the very bits that it would have had
 * without the interruption. Noise is a function of seed and cell, so that nothing else needs to be held; noise that was
 * given has to be given again.
 */
export interface DrawingJob extends JobGround {
  readonly pictures: readonly JobPicture[];
}

/** What a job is taken of; all but the ground one a picture. */
interface JobSource {
  readonly ground: JobGround;
  readonly recipes: readonly Recipe[];
  readonly notes: readonly (readonly DrawingNote[])[];
  readonly slots: readonly { readonly canvas: Canvas }[];
}

/**
 * A copy of how far a drawing has come.
 * @param passed cells of each picture that count; default: all that are passed
 */
export function jobOf(
  { ground, recipes, notes, slots }: JobSource,
  passed: readonly number[] = slots.map(({ canvas }) => canvas.next),
): DrawingJob {
  const pictures = slots.map(({ canvas }, index): JobPicture => {
    const recipe = recipes[index] as Recipe;
    return {
      recipe,
      notes: notes[index] ?? [],
      ...(recipe.kept === undefined ? {} : { kept: cellTokens(canvas, recipe.kept.cells) }),
      tokens: canvas.tokens(0, passed[index]),
    };
  });
  return { ...ground, pictures };
}

/** Tokens of a job's pictures, in the order in which they are drawn, without the first ones. */
export interface JobTokens {
  readonly tokenWidth: number;
  readonly pictures: readonly {
    /** Tokens that are left out. */
    readonly from: number;
    /** [passed - from, 64] */
    readonly tokens: Float32Array;
  }[];
}

/**
 * A copy of the tokens by which pictures are ahead of what is written of them.
 * @param passed tokens that each picture has, of which `written` are left out
 */
export function tokensBehind(
  { ground: { tokenWidth } }: Pick<JobSource, "ground">,
  slots: JobSource["slots"],
  passed: readonly number[],
  written: readonly number[],
): JobTokens {
  const pictures = slots.map(({ canvas }, index) => {
    const from = written[index] ?? 0;
    return { from, tokens: canvas.tokens(from, Math.max(from, passed[index] as number)) };
  });
  return { tokenWidth, pictures };
}

/** Cells of each picture of a job. */
export function jobCells({ grid }: Pick<JobGround, "grid">): number {
  return grid[0] * grid[1];
}
