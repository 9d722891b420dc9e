/** @file The cells of a picture in the making: which tokens are given, which are drawn, which are still open. */
import { InputError } from "../errors.ts";
import type { Grid } from "../sequence/segments.ts";
import { DrawingOrder } from "./drawing-order.ts";

/** `forced`: the token was given. `sampled`: it was drawn. `open`: it is still to be drawn. */
export type CellState = "forced" | "sampled" | "open";

/**
 * Cells are passed in the order in which they are drawn; `next` is the turn of the first that is not passed yet. Tokens of
 * forced cells are read where the others are drawn.
 */
export class Canvas {
  readonly order: DrawingOrder;
  /** Numbers of a token. */
  readonly width: number;
  readonly #tokens: Float32Array;
  readonly #forced: Uint8Array;
  #next = 0;

  /** All cells open. */
  constructor(grid: Grid, width: number, order = new DrawingOrder(grid)) {
    this.order = order;
    this.width = width;
    this.#tokens = new Float32Array(this.count * width);
    this.#forced = new Uint8Array(this.count);
  }

  get grid(): Grid {
    return this.order.grid;
  }

  /** Cells in all. */
  get count(): number {
    return this.order.count;
  }

  get next(): number {
    return this.#next;
  }

  get complete(): boolean {
    return this.#next === this.count;
  }

  /** Whether all cells to come are forced. */
  get known(): boolean {
    return this.forcedAhead() === this.count - this.#next;
  }

  stateOf(cell: number): CellState {
    if (this.#forced[cell] === 1) return "forced";
    return this.order.turnOf(cell) < this.#next ? "sampled" : "open";
  }

  /**
   * Gives a cell its token. [width]
   * @throws InputError for a cell that is not on the canvas or was passed already, or a token that is none.
   */
  force(cell: number, token: Float32Array): void {
    if (!Number.isInteger(cell) || cell < 0 || cell >= this.count || this.order.turnOf(cell) < this.#next) {
      throw new InputError(`cell ${cell} is not one of those to come, of ${this.count}`, { where: "canvas" });
    }
    if (token.length !== this.width || !token.every(Number.isFinite)) {
      throw new InputError(`the token of cell ${cell} is not ${this.width} finite numbers`, {
        where: "canvas",
      });
    }
    this.#tokens.set(token, cell * this.width);
    this.#forced[cell] = 1;
  }

  /** Forced cells from the next one on, as far as all that are drawn along with them are forced too. */
  forcedAhead(): number {
    let turn = this.#next;
    while (turn < this.count && this.#forced[this.order.cellAt(turn)] === 1) turn++;
    return (turn < this.count ? Math.max(this.#next, this.order.waveStart(turn)) : turn) - this.#next;
  }

  /** Passes forced cells. */
  pass(cells: number): void {
    const end = this.#next + cells;
    for (let turn = this.#next; turn < end; turn++) {
      if (turn >= this.count || this.#forced[this.order.cellAt(turn)] === 0)
        throw new InputError(`${cells} cells are not all known`, { where: "canvas" });
    }
    this.#next = end;
  }

  /** Draws the next cell's token, [width], and passes it. */
  sample(token: Float32Array): void {
    const cell = this.order.cellAt(this.#next);
    if (this.complete || this.#forced[cell] === 1) {
      throw new InputError(`cell ${cell} is not open`, { where: "canvas" });
    }
    this.#tokens.set(token, cell * this.width);
    this.#next++;
  }

  /** Goes back to the start of a row of cells, if that was passed: what was drawn from then on is open again. */
  rewind(row: number): void {
    if (!Number.isInteger(row) || row < 0 || row >= this.grid[0]) {
      throw new InputError(`row ${row} is not one of 0 to ${this.grid[0] - 1}`, { where: "canvas" });
    }
    const turn = this.order.turnOf(row * this.grid[1]);
    this.#next = Math.min(this.#next, this.order.waveStart(turn));
  }

  /** A copy of the tokens of turns `from` to `to`, by default of those passed. [to - from, width] */
  tokens(from = 0, to = this.#next): Float32Array {
    if (!this.order.staggered) return this.cells(from, to);
    const tokens = new Float32Array((to - from) * this.width);
    for (let turn = from; turn < to; turn++) tokens.set(this.#tokenOf(turn), (turn - from) * this.width);
    return tokens;
  }

  /** A copy of the tokens of cells `from` to `to` in raster order, by default of all. [to - from, width] */
  cells(from = 0, to = this.count): Float32Array {
    return this.#tokens.slice(from * this.width, to * this.width);
  }

  /** How many cells are passed in raster order, up to the first that is not, when `turns` cells are passed in all. */
  prefix(turns = this.#next): number {
    if (!this.order.staggered) return turns;
    const [rows, columns] = this.grid;
    // A row is passed with its last cell, and those above were then.
    let row = 0;
    while (row < rows && this.order.turnOf((row + 1) * columns - 1) < turns) row++;
    let cell = row * columns;
    while (cell < this.count && this.order.turnOf(cell) < turns) cell++;
    return cell;
  }

  #tokenOf(turn: number): Float32Array {
    const cell = this.order.cellAt(turn);
    return this.#tokens.subarray(cell * this.width, (cell + 1) * this.width);
  }
}
