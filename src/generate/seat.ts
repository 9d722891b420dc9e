/** @file Where a slot sits in a token loop: its rows, and how far they have read. */
import type { ModelFolder } from "../checkpoint/model-folder.ts";
import { InputError } from "../errors.ts";
import { joinedFloats } from "../tensor/joined.ts";
import type { Canvas } from "./canvas.ts";
import type { Slot, SlotRequest } from "./slot.ts";
import type { TokenLayout, TokenRow } from "./token-feeds.ts";

/** A slot in the loop. */
export interface Seat {
  readonly slot: Slot;
  /** Its branches' places among the rows that are read. */
  rows: readonly number[];
  /** Tokens of each branch's prompt, and the state behind it. */
  readonly prompts: readonly number[];
  readonly promptHidden: Float32Array;
  /** States that predict the cells of the wave behind what is read, in their order. Each [branches, D] */
  hidden: readonly Float32Array[];
  /** Turns whose tokens the rows have read. */
  read: number;
  /** Added to the states that predict cells, by cell. [held, D] */
  readonly positions: Float32Array | undefined;
}

/** The signal that stops work which is done for all of the slots. */
export function commonSignal(slots: readonly Slot[]): AbortSignal | undefined {
  const [signal, ...others] = new Set(slots.map(({ request }) => request.signal));
  return others.length === 0 ? signal : undefined;
}

/**
 * The generation position embedding, if the model has one, [held, D]. The inference code of the velocity samplers does not
 * know it (docs/nextstep-spec.md 3.9).
 * @throws InputError for a picture with more cells than it has positions
 */
export async function generationPositions(
  {
    request: { sampler },
    canvas,
  }: { readonly request: Pick<SlotRequest, "sampler">; readonly canvas: Pick<Canvas, "count"> },
  folder: Pick<ModelFolder, "config" | "generationPositions">,
): Promise<Float32Array | undefined> {
  if (sampler !== "v1" && sampler !== "v1.1") return undefined;
  const table = await folder.generationPositions();
  if (table === undefined) return undefined;
  const held = table.length / folder.config.hiddenSize;
  if (canvas.count <= held) return table;
  throw new InputError(
    `${canvas.count} tokens are more than the ${held} generation positions of this model`,
    {
      where: "size",
      remedy: "draw a smaller picture",
    },
  );
}

/**
 * Seats side by side: rows of each, and the state behind its prompts.
 * @param prompts that were read of each slot
 * @param hidden [rows, D], of all of them one after another
 */
export function seatsOf(
  slots: readonly Slot[],
  prompts: readonly (readonly TokenRow[])[],
  hidden: Float32Array,
  width: number,
  positions: readonly (Float32Array | undefined)[],
): Seat[] {
  let next = 0;
  return slots.map((slot, index) => {
    const read = prompts[index] as readonly TokenRow[];
    const rows = read.map(() => next++);
    const promptHidden = pickRows(hidden, rows, width);
    return {
      slot,
      rows,
      prompts: read.map(({ ids }) => ids.length),
      promptHidden,
      hidden: [promptHidden],
      read: 0,
      positions: positions[index],
    };
  });
}

/**
 * Turns `from` to `to` of a slot, where a wave ends, as one of its rows reads them: the states that are wanted are those that
 * predict the cells of the next wave.
 * @param prompt tokens in front of the picture
 */
export function imageRow(
  { canvas, adapters }: Slot,
  from: number,
  to: number,
  prompt: number,
  placeholder: number,
): TokenRow {
  const { order } = canvas;
  const tokens = canvas.tokens(from, to);
  const ids = new Array<number>(to - from).fill(placeholder);
  if (!order.staggered) return { ids, images: [{ start: 0, tokens }], adapters };
  const cells = ids.map((_, index) => order.cellAt(from + index));
  const standIn = order.standIn(to);
  const layout: TokenLayout = {
    places: [...cells, ...(standIn === undefined ? [] : [standIn.place])].map((cell) => prompt + cell),
    sees: (token, cached) => {
      const turn = cached - prompt;
      if (turn < 0) return true;
      if (turn >= to) return false;
      const cell = cells[token];
      // Of the row that a stand-in is read for, and of those below, there is nothing yet.
      return cell === undefined || order.sees(cell, order.cellAt(turn));
    },
    picks: order
      .wave(to)
      .map((cell) => (cell - 1 === standIn?.place ? ids.length : order.turnOf(cell - 1) - from)),
    passing: standIn === undefined ? 0 : 1,
  };
  if (standIn === undefined) return { ids, images: [{ start: 0, tokens }], layout, adapters };
  const stood = canvas.cells(standIn.cell, standIn.cell + 1);
  return {
    ids: [...ids, placeholder],
    images: [{ start: 0, tokens: joinedFloats([tokens, stood]) }],
    layout,
    adapters,
  };
}

/** The states of each cell's branches, of such as were read of a slot's rows. states [all, D]; `first` of each row */
export function cellStates(
  states: Float32Array,
  first: readonly number[],
  cells: number,
  width: number,
): Float32Array[] {
  return Array.from({ length: cells }, (_, cell) =>
    pickRows(
      states,
      first.map((row) => row + cell),
      width,
    ),
  );
}

/** [all, width] -> [rows, width] */
export function pickRows(values: Float32Array, rows: readonly number[], width: number): Float32Array {
  const picked = new Float32Array(rows.length * width);
  rows.forEach((row, index) => {
    picked.set(values.subarray(row * width, (row + 1) * width), index * width);
  });
  return picked;
}
