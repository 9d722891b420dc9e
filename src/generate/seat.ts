/** @file Where a slot sits in a token loop: its rows, and how far they have read. */
import type { Slot } from "./slot.ts";
import type { TokenRow } from "./token-feeds.ts";

/** A slot in the loop. */
export interface Seat {
  readonly slot: Slot;
  /** Its branches' places among the rows that are read. */
  rows: readonly number[];
  /** Tokens of each branch's prompt, and the state behind it. */
  readonly prompts: readonly number[];
  readonly promptHidden: Float32Array;
  /** State of each branch's last token. [branches, D] */
  hidden: Float32Array;
  /** Cells whose tokens the rows have read. */
  read: number;
  readonly positions: Float32Array | undefined;
}

/** The signal that stops work which is done for all of the slots. */
export function commonSignal(slots: readonly Slot[]): AbortSignal | undefined {
  const [signal, ...others] = new Set(slots.map(({ request }) => request.signal));
  return others.length === 0 ? signal : undefined;
}

/** Seats side by side: rows of each, and the state behind its prompts. hidden [rows, D] */
export function seatsOf(
  slots: readonly Slot[],
  hidden: Float32Array,
  width: number,
  positions: readonly (Float32Array | undefined)[],
): Seat[] {
  let next = 0;
  return slots.map((slot, index) => {
    const read = slot.request.rows.slice(0, slot.branches);
    const rows = read.map(() => next++);
    const promptHidden = pickRows(hidden, rows, width);
    const prompts = read.map(({ ids }) => ids.length);
    return { slot, rows, prompts, promptHidden, hidden: promptHidden, read: 0, positions: positions[index] };
  });
}

/** Image tokens, [count, 64], as a row reads them. */
export function imageRow(tokens: Float32Array, count: number, placeholder: number): TokenRow {
  return { ids: new Array<number>(count).fill(placeholder), images: [{ start: 0, tokens }] };
}

/** [all, width] -> [rows, width] */
export function pickRows(values: Float32Array, rows: readonly number[], width: number): Float32Array {
  const picked = new Float32Array(rows.length * width);
  rows.forEach((row, index) => {
    picked.set(values.subarray(row * width, (row + 1) * width), index * width);
  });
  return picked;
}
