/** @file Slots drawn together, all from beginning to end. */
import { untilAborted } from "./abort.ts";
import type { ModelSessions } from "./model-sessions.ts";
import { commonSignal } from "./seat.ts";
import type { Slot } from "./slot.ts";
import { type TokenEvent, TokenLoop } from "./token-loop.ts";

/**
 * Draws slots from beginning to end, one yield a step.
 * @throws what befalls any of them; {@link TokenLoop} keeps slots apart.
 */
export async function* drawTokens(
  sessions: ModelSessions,
  slots: readonly Slot[],
): AsyncGenerator<readonly (TokenEvent & { readonly kind: "token" })[]> {
  await using loop = new TokenLoop(sessions);
  const signal = sessions.signal(commonSignal(slots));
  await untilAborted(loop.join(...slots), signal);
  while (loop.slots.length > 0) {
    const events = await untilAborted(loop.step(), signal);
    yield events.map((event) => {
      if (event.kind === "failed") throw event.error;
      return event;
    });
  }
}
