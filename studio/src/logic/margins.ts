/** @file Cells added at the sides of a picture: the canvas that they make, and where the picture stands on it. */
import type { Grid, Size } from "./grid.ts";

export type Side = "top" | "right" | "bottom" | "left";
export const SIDES = ["top", "right", "bottom", "left"] as const satisfies readonly Side[];

/** Cells added at each side. */
export type Margins = Readonly<Record<Side, number>>;

export const NO_MARGINS: Margins = { top: 0, right: 0, bottom: 0, left: 0 };

export function extendedGrid({ columns, rows }: Grid, margins: Margins): Grid {
  return {
    columns: columns + margins.left + margins.right,
    rows: rows + margins.top + margins.bottom,
  };
}

/** Cells that the page keeps free at each side while they are dragged, so that nothing jumps under the pointer. */
export function freeCells({ columns, rows }: Grid, margins: Margins): number {
  return Math.max(2, Math.ceil(Math.max(columns, rows) / 4), ...Object.values(margins));
}

/** Cells that are to be written. */
export function addedCells(grid: Grid, margins: Margins): number {
  const { columns, rows } = extendedGrid(grid, margins);
  return columns * rows - grid.columns * grid.rows;
}

/** Margins with one side set, within 0 and what the most pixels of the server leave. */
export function withMargin(
  margins: Margins,
  side: Side,
  cells: number,
  grid: Grid,
  tokenSide: number,
  maxPixels: number,
): Margins {
  const others = { ...margins, [side]: 0 };
  const { columns, rows } = extendedGrid(grid, others);
  const [along, across] = side === "left" || side === "right" ? [columns, rows] : [rows, columns];
  const most = Math.floor(maxPixels / (tokenSide * tokenSide) / across) - along;
  return { ...margins, [side]: Math.max(0, Math.min(Math.round(cells), most)) };
}

/** Pixels of the canvas, and of the picture's upper left corner on it. */
export function canvasOf(
  grid: Grid,
  margins: Margins,
  tokenSide: number,
): { readonly size: Size; readonly left: number; readonly top: number } {
  const { columns, rows } = extendedGrid(grid, margins);
  return {
    size: { width: columns * tokenSide, height: rows * tokenSide },
    left: margins.left * tokenSide,
    top: margins.top * tokenSide,
  };
}
