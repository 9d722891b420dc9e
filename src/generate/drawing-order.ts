/**
 * @file The order in which the cells of a picture are drawn: one by one in raster order, or staggered, several rows at once
 * (ZipAR, arXiv 2412.04062, which does so for discrete tokens). A wave is what is drawn together and then read together, by
 * one pass over the weights.
 *
 * Staggered, the first row is drawn whole, and each row from the third on starts when the one above is `lag` tokens ahead. A
 * token keeps the position that it has in raster order, and sees what was read of the cells in front of it there: of those
 * above and to its right, what is there by then. Where a row starts before the one above has its last token, a stand-in is
 * read in that token's place, the newest token two rows up, and forgotten afterwards, as published.
 */
import { ConfigError } from "../errors.ts";
import type { Grid } from "../sequence/segments.ts";

/** What is read so that a row can start before the one above has ended: the token of one cell in place of another. */
export interface StandIn {
  /** Whose token is read. */
  readonly cell: number;
  /** In whose place. */
  readonly place: number;
}

/** Cells by turn, the number of cells that were drawn before. */
export class DrawingOrder {
  readonly grid: Grid;
  readonly count: number;
  /** Whether some cells are drawn together. */
  readonly staggered: boolean;
  /** Wave in which each row starts. */
  readonly #starts: readonly number[];
  readonly #cells: readonly number[];
  readonly #turns: readonly number[];
  /** Turn with which each wave begins, and behind the last. */
  readonly #waves: readonly number[];

  /**
   * @param lag tokens that a row is ahead of the next one; null for raster order, which a lag of a whole row is too.
   * @throws ConfigError for a lag that is not a whole number from 1.
   */
  constructor(grid: Grid, lag: number | null = null) {
    if (lag !== null && (!Number.isInteger(lag) || lag < 1)) {
      throw new ConfigError(`${lag} is not a lag`, { where: "rowLag", remedy: "use a whole number from 1" });
    }
    const [rows, columns] = grid;
    this.grid = grid;
    this.count = rows * columns;
    const ahead = Math.min(lag ?? columns, columns);
    this.#starts = Array.from({ length: rows }, (_, row) => (row === 0 ? 0 : columns + (row - 1) * ahead));
    this.#cells = Array.from({ length: this.count }, (_, cell) => cell).sort(
      (a, b) => this.waveOf(a) - this.waveOf(b) || a - b,
    );
    const turns = new Array<number>(this.count);
    const waves: number[] = [];
    this.#cells.forEach((cell, turn) => {
      turns[cell] = turn;
      waves[this.waveOf(cell)] ??= turn;
    });
    this.#turns = turns;
    this.staggered = waves.length < this.count;
    this.#waves = [...waves, this.count];
  }

  cellAt(turn: number): number {
    return this.#cells[turn] as number;
  }

  turnOf(cell: number): number {
    return this.#turns[cell] as number;
  }

  /** The wave that a cell is drawn in. */
  waveOf(cell: number): number {
    const [, columns] = this.grid;
    return (this.#starts[Math.floor(cell / columns)] as number) + (cell % columns);
  }

  /** First turn of the wave that a turn is in. */
  waveStart(turn: number): number {
    return this.#waves[this.waveOf(this.cellAt(turn))] as number;
  }

  /** First turn behind the wave that a turn is in. */
  waveEnd(turn: number): number {
    return this.#waves[this.waveOf(this.cellAt(turn)) + 1] as number;
  }

  /** The cells of the wave that begins with a turn; none behind the last. */
  wave(turn: number): readonly number[] {
    return turn < this.count ? this.#cells.slice(turn, this.waveEnd(turn)) : [];
  }

  /** Whether the token of a cell sees that of another one: what was read with it or before, in front of it in raster order. */
  sees(cell: number, other: number): boolean {
    return other < cell && this.waveOf(other) <= this.waveOf(cell);
  }

  /** What is read along with the wave in front of `turn`, so that the row that starts with its wave can, if one does. */
  standIn(turn: number): StandIn | undefined {
    if (turn === 0 || turn >= this.count) return undefined;
    const [, columns] = this.grid;
    const read = this.waveOf(this.cellAt(turn)) - 1;
    const row = this.#starts.indexOf(read + 1);
    if (row < 2 || this.waveOf(row * columns - 1) === read) return undefined;
    const newest = Math.min(columns - 1, read - (this.#starts[row - 2] as number));
    return { cell: (row - 2) * columns + newest, place: row * columns - 1 };
  }
}
