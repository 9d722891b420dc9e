/** @file Cells that are to be written anew, and the picture that tells the server so. */

import type { Zlib } from "../../../src/formats/zlib.ts";
import { encodePng } from "../../../src/image/encode-png.ts";
import type { Cell, Grid, Size } from "./grid.ts";

/** One byte a cell, row-major: 1 where the picture is opened. */
export type MaskCells = Uint8Array<ArrayBuffer>;

export function emptyMask({ columns, rows }: Grid): MaskCells {
  return new Uint8Array(columns * rows);
}

export function openCount(cells: MaskCells): number {
  return cells.reduce((sum, cell) => sum + cell, 0);
}

/**
 * The mask with the cells under a square brush opened or closed, along the way from one cell to another, so that quick
 * strokes have no gaps. `brush` is its side in cells; even brushes reach further right and down.
 */
export function stroke(
  cells: MaskCells,
  grid: Grid,
  from: Cell,
  to: Cell,
  brush: number,
  opens: boolean,
): MaskCells {
  const next = cells.slice();
  const steps = Math.max(Math.abs(to.row - from.row), Math.abs(to.column - from.column), 1);
  const before = Math.floor((brush - 1) / 2);
  for (let step = 0; step <= steps; step++) {
    const top = Math.round(from.row + ((to.row - from.row) * step) / steps) - before;
    const left = Math.round(from.column + ((to.column - from.column) * step) / steps) - before;
    for (let row = Math.max(0, top); row < Math.min(grid.rows, top + brush); row++) {
      for (let column = Math.max(0, left); column < Math.min(grid.columns, left + brush); column++) {
        next[row * grid.columns + column] = opens ? 1 : 0;
      }
    }
  }
  return next;
}

/** Compression by the browser (and by Node 18 or newer), in zlib's format. */
const deflate: Zlib["deflate"] = async (bytes) => {
  const packed = new Blob([new Uint8Array(bytes)]).stream().pipeThrough(new CompressionStream("deflate"));
  return new Uint8Array(await new Response(packed).arrayBuffer());
};

/** A PNG in the picture's size, white where cells are opened, black elsewhere: `mask_opens: "white"`. */
export async function maskPng(
  cells: MaskCells,
  { columns, rows }: Grid,
  { width, height }: Size,
): Promise<Uint8Array<ArrayBuffer>> {
  const data = new Uint8Array(3 * width * height);
  for (let y = 0; y < height; y++) {
    const row = Math.floor((y * rows) / height);
    for (let x = 0; x < width; x++) {
      if (cells[row * columns + Math.floor((x * columns) / width)] === 1) {
        data.fill(255, 3 * (y * width + x), 3 * (y * width + x) + 3);
      }
    }
  }
  return encodePng({ width, height, data }, { deflate });
}
