/** @file Where a picture lies that is placed on a larger canvas: in the answer, and in the tokens that are drawn. */
import { InputError } from "../../errors.ts";
import type { Window } from "../../image/resample.ts";
import type { PixelSize } from "../contract/draw-request.ts";

/** The cells that a placed picture covers whole, and the pixels that these have. */
export interface Placement {
  /** In the answer's pixels. */
  readonly left: number;
  readonly top: number;
  /** Size of the picture on the canvas that is drawn. */
  readonly stretched: PixelSize;
  /** Of the stretched picture, what the covered cells show. */
  readonly window: Window;
  /** Cells that are covered: rows and columns from the first to behind the last. */
  readonly rows: readonly [from: number, to: number];
  readonly columns: readonly [from: number, to: number];
}

export interface PlacedPicture {
  /** Of the picture. */
  readonly picture: PixelSize;
  /** Tokens of the answer left of it and above it. */
  readonly at: { readonly left: number; readonly top: number };
  readonly asked: PixelSize;
  readonly native: PixelSize;
  readonly tokenSide: number;
}

/** @throws InputError for a picture that does not lie on the canvas, covers no token, or leaves none to be drawn. */
export function placementOf({ picture, at, asked, native, tokenSide }: PlacedPicture): Placement {
  const [left, top] = [at.left * tokenSide, at.top * tokenSide];
  if (left + picture.width > asked.width || top + picture.height > asked.height) {
    throw new InputError(
      `a picture of ${picture.width}x${picture.height} at ${left},${top} reaches beyond ${asked.width}x${asked.height}`,
      { where: "place", remedy: "ask for a larger size, or place it elsewhere" },
    );
  }
  const across = axisOf(left, picture.width, native.width / asked.width, tokenSide);
  const down = axisOf(top, picture.height, native.height / asked.height, tokenSide);
  const [columns, rows] = [across.cells, down.cells];
  const kept = (columns[1] - columns[0]) * (rows[1] - rows[0]);
  if (columns[1] <= columns[0] || rows[1] <= rows[0]) {
    throw new InputError(
      `the picture covers no token of the ${native.width}x${native.height} that are drawn`,
      {
        where: "place",
        remedy: "use a larger picture, or ask for a smaller size",
      },
    );
  }
  if (kept === (native.width / tokenSide) * (native.height / tokenSide)) {
    throw new InputError("the picture covers all tokens", {
      where: "place",
      remedy: "ask for a larger size",
    });
  }
  return {
    left,
    top,
    stretched: { width: across.length, height: down.length },
    window: {
      offset: [rows[0] * tokenSide - down.start, columns[0] * tokenSide - across.start],
      size: [(rows[1] - rows[0]) * tokenSide, (columns[1] - columns[0]) * tokenSide],
    },
    rows,
    columns,
  };
}

/** Along one axis of the canvas that is drawn: where the picture lies, and the cells that it covers whole. */
function axisOf(
  start: number,
  length: number,
  scale: number,
  side: number,
): { start: number; length: number; cells: readonly [number, number] } {
  const from = Math.round(start * scale);
  const extent = Math.max(1, Math.round((start + length) * scale) - from);
  return { start: from, length: extent, cells: [Math.ceil(from / side), Math.floor((from + extent) / side)] };
}
