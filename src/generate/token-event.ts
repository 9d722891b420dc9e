/** @file What a step of a token loop did to a picture. */
import { EngineError, type NextStepError, refuseAborted, typedError } from "../errors.ts";
import type { ModelSessions } from "./model-sessions.ts";
import type { Slot } from "./slot.ts";
import type { Sampling } from "./solver-chain.ts";
import { normalizeToken } from "./token-norm.ts";

/** What a step did to a slot. One that is finished or failed has left the loop. */
export type TokenEvent =
  | {
      readonly kind: "token";
      readonly slot: Slot;
      /** Raster index of the cell that was passed, from 0. */
      readonly cell: number;
      /** [64] */
      readonly token: Float32Array;
      /** What the image head was told about each branch: hidden states, plus the generation position. [branches, D] */
      readonly conditions: Float32Array;
      readonly finished: boolean;
    }
  | { readonly kind: "failed"; readonly slot: Slot; readonly error: NextStepError };

/** That a slot has left because of an error. */
export function failedBy(slot: Slot, error: unknown): TokenEvent {
  return { kind: "failed", slot, error: typedError(error) };
}

/** Nothing, unless the slot's signal has fired or the model is closed. */
export function abortedOf(slot: Slot, sessions: ModelSessions): readonly TokenEvent[] {
  try {
    refuseAborted(sessions.signal());
    refuseAborted(slot.request.signal);
    return [];
  } catch (error) {
    return [failedBy(slot, error)];
  }
}

function notFinite({ request, canvas }: Slot): EngineError {
  return new EngineError(`token ${canvas.next + 1} of ${canvas.count} holds numbers that are not finite`, {
    where: request.name,
    remedy: "use smaller guidance scales; if these are usual ones, the model's weights are damaged",
  });
}

export function hasLeft(event: TokenEvent): boolean {
  return event.kind === "failed" || event.finished;
}

/** Passes a slot's next cell: with the token that it has, perhaps only since another was drawn, or with the one drawn. */
export function passCell(
  slot: Slot,
  { turn, conditions }: Pick<Sampling, "turn" | "conditions">,
  sampled: Float32Array | undefined,
): TokenEvent {
  const { canvas, request } = slot;
  const cell = canvas.order.cellAt(turn);
  const drawn = canvas.stateOf(cell) === "forced" ? undefined : sampled;
  if (drawn !== undefined && request.useNorm) normalizeToken(drawn);
  if (drawn?.every(Number.isFinite) === false) return { kind: "failed", slot, error: notFinite(slot) };
  if (drawn === undefined) canvas.pass(1);
  else canvas.sample(drawn);
  const token = drawn ?? canvas.cells(cell, cell + 1);
  return { kind: "token", slot, cell, token, conditions, finished: canvas.complete };
}
