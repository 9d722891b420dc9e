/** @file A picture as the cells that it is written in: one a token, row by row. */
import type { SizeText } from "../api/answers.ts";

/** Pixels, width first. */
export interface Size {
  readonly width: number;
  readonly height: number;
}

export interface Grid {
  readonly columns: number;
  readonly rows: number;
}

export interface Cell {
  readonly row: number;
  readonly column: number;
}

export function parseSize(text: SizeText): Size {
  const [width = 0, height = 0] = text.split("x").map(Number);
  return { width, height };
}

export function sizeText({ width, height }: Size): SizeText {
  return `${width}x${height}`;
}

/** As people read it. */
export function shownSize({ width, height }: Size): string {
  return `${width} × ${height}`;
}

/** Cells of a picture; a side that is no whole number of tokens counts its last, broken one. */
export function gridOf({ width, height }: Size, tokenSide: number): Grid {
  return { columns: Math.ceil(width / tokenSide), rows: Math.ceil(height / tokenSide) };
}

/**
 * Width of a cell against its height. The picture of a size that the model does not draw is stretched from another, and
 * its cells with it.
 */
export function cellStretch(grid: Grid, { width, height }: Size): number {
  return (width * grid.rows) / (height * grid.columns);
}

/** The cell of a token in the order of reading; the last one for tokens beyond. */
export function cellOf(token: number, { columns, rows }: Grid): Cell {
  const within = Math.max(0, Math.min(token, columns * rows - 1));
  return { row: Math.floor(within / columns), column: within % columns };
}

/** Sides of a cell on the page: pixels of it that divide the page's own squares, or are whole numbers of them. */
const STEPS = [64, 48, 32, 24, 16, 8, 4, 2, 1] as const;

/** The largest side at which a grid fits into a place, in CSS pixels; at least 1. */
export function cellSide({ columns, rows }: Grid, place: Size): number {
  const most = Math.min(place.width / columns, place.height / rows);
  return STEPS.find((side) => side <= most) ?? 1;
}

/** Largest whole side that fits the width, for narrow screens, where being large counts more than the page's squares. */
export function wideCellSide({ columns, rows }: Grid, place: Size): number {
  return Math.max(1, Math.floor(Math.min(place.width / columns, place.height / rows)));
}

/** Every so many rows get a number, so that numbers of `lineHeight` do not overlap. */
export function numberEvery(side: number, lineHeight: number): number {
  const least = Math.ceil(lineHeight / side);
  return [1, 2, 4, 5, 8, 10, 16, 20, 32].find((every) => every >= least) ?? 64;
}
