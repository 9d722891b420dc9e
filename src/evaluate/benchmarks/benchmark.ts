/** @file What a published benchmark asks to be drawn, and where its own scorer looks for the pictures. */
import type { RgbImage } from "../../image/pixels.ts";
import type { BenchmarkSource } from "./benchmark-sources.ts";

/** A file of one picture, or of several in a grid. */
export interface PictureFile {
  /** Below the output folder, with forward slashes; the ending says the format: png, jpeg or webp (lossless). */
  readonly path: string;
  /** Which of the item's pictures are in it, row by row. */
  readonly copies: readonly number[];
  /** Pictures in a row. */
  readonly columns: number;
}

/** A picture that stands in a table of prompts, not in a file of its own. */
export type EmbeddedPicture = () => Promise<RgbImage>;

/** One prompt. */
export interface BenchmarkItem {
  /** For messages: file and place in it. */
  readonly where: string;
  readonly prompt: string;
  /** Files of the pictures that are edited; those of `shown` that stand in a table are edited as they are written. */
  readonly sources: readonly string[];
  readonly files: readonly PictureFile[];
  /** Texts that the scorer reads beside the pictures, by path below the output folder. */
  readonly texts: Readonly<Record<string, string>>;
  /** Source pictures that the scorer reads beside the others, written as PNG: path below the output folder to file. */
  readonly shown: Readonly<Record<string, string | EmbeddedPicture>>;
}

/** What settles a layout besides the prompts. */
export interface LayoutOptions {
  /** Pictures of each prompt. */
  readonly count: number;
  /** The scorers' name for what drew. */
  readonly name: string;
  /** Folder of the pictures that are edited. */
  readonly images: string | undefined;
}

/** What the printed command of the official scorer needs to know. */
export interface ScoringFacts {
  /** Output folder, absolute. */
  readonly out: string;
  readonly name: string;
  readonly count: number;
  /** Side of the square pictures in pixels, or undefined where they differ. */
  readonly side: number | undefined;
  readonly prompts: readonly string[];
  readonly images: string | undefined;
}

export interface Benchmark extends BenchmarkSource {
  /**
   * Reads the prompts.
   * @throws InputError or DataFormatError naming file and place
   */
  items(prompts: readonly string[], options: LayoutOptions): Promise<readonly BenchmarkItem[]>;
  /** Commands for a checkout of the scorer's repository, one a line. */
  scoring(facts: ScoringFacts): readonly string[];
}

/** A file of one picture. */
export function single(path: string, copy = 0): PictureFile {
  return { path, copies: [copy], columns: 1 };
}

/** A file of all pictures of an item, as many in a row as in a column. */
export function grid(path: string, count: number): PictureFile {
  return { path, copies: Array.from({ length: count }, (_, copy) => copy), columns: Math.sqrt(count) };
}

export const NOTHING_BESIDE = { sources: [], texts: {}, shown: {} } as const;
