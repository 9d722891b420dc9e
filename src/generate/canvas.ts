/** @file The cells of a picture in the making: which tokens are given, which are drawn, which are still open. */
import { InputError } from "../errors.ts";
import type { Grid } from "../sequence/segments.ts";

/** `forced`: the token was given. `sampled`: it was drawn. `open`: it is still to be drawn. */
export type CellState = "forced" | "sampled" | "open";

/**
 * Cells are passed in raster order; `next` is the first that is not passed yet. Tokens of forced cells are read where the
 * others are drawn.
 */
export class Canvas {
  readonly grid: Grid;
  /** Cells in all. */
  readonly count: number;
  /** Numbers of a token. */
  readonly width: number;
  readonly #tokens: Float32Array;
  readonly #forced: Uint8Array;
  #next = 0;

  /** All cells open. */
  constructor(grid: Grid, width: number) {
    this.grid = grid;
    this.count = grid[0] * grid[1];
    this.width = width;
    this.#tokens = new Float32Array(this.count * width);
    this.#forced = new Uint8Array(this.count);
  }

  get next(): number {
    return this.#next;
  }

  get complete(): boolean {
    return this.#next === this.count;
  }

  stateOf(cell: number): CellState {
    if (this.#forced[cell] === 1) return "forced";
    return cell < this.#next ? "sampled" : "open";
  }

  /**
   * Gives a cell its token. [width]
   * @throws InputError for a cell that is not on the canvas or was passed already, or a token that is none.
   */
  force(cell: number, token: Float32Array): void {
    if (!Number.isInteger(cell) || cell < this.#next || cell >= this.count) {
      throw new InputError(`cell ${cell} is not one of those to come, ${this.#next} to ${this.count - 1}`, {
        where: "canvas",
      });
    }
    if (token.length !== this.width || !token.every(Number.isFinite)) {
      throw new InputError(`the token of cell ${cell} is not ${this.width} finite numbers`, {
        where: "canvas",
      });
    }
    this.#tokens.set(token, cell * this.width);
    this.#forced[cell] = 1;
  }

  /** Forced cells from the next one on, up to the first open one. */
  forcedAhead(): number {
    const open = this.#forced.indexOf(0, this.#next);
    return (open < 0 ? this.count : open) - this.#next;
  }

  /** Passes forced cells. */
  pass(cells: number): void {
    if (cells > this.forcedAhead())
      throw new InputError(`${cells} cells are not all known`, { where: "canvas" });
    this.#next += cells;
  }

  /** Draws the next cell's token, [width], and passes it. */
  sample(token: Float32Array): void {
    if (this.complete || this.#forced[this.#next] === 1) {
      throw new InputError(`cell ${this.#next} is not open`, { where: "canvas" });
    }
    this.#tokens.set(token, this.#next * this.width);
    this.#next++;
  }

  /** Goes back to the start of a row of cells, if that was passed: what was drawn from there on is open again. */
  rewind(row: number): void {
    if (!Number.isInteger(row) || row < 0 || row >= this.grid[0]) {
      throw new InputError(`row ${row} is not one of 0 to ${this.grid[0] - 1}`, { where: "canvas" });
    }
    this.#next = Math.min(this.#next, row * this.grid[1]);
  }

  /** A copy of the tokens of cells `from` to `to`, by default of those passed. [to - from, width] */
  tokens(from = 0, to = this.#next): Float32Array {
    return this.#tokens.slice(from * this.width, to * this.width);
  }
}
