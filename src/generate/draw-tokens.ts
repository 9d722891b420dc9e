/** @file Slots drawn together, all from beginning to end. */
import { promptly, untilAborted } from "./abort.ts";
import type { ModelSessions } from "./model-sessions.ts";
import { commonSignal } from "./seat.ts";
import type { Slot } from "./slot.ts";
import type { TokenEvent } from "./token-event.ts";
import { TokenLoop } from "./token-loop.ts";

/**
 * Draws slots from beginning to end, one yield a step.
 * @throws what befalls any of them; {@link TokenLoop} keeps slots apart.
 */
export async function* drawTokens(
  sessions: ModelSessions,
  slots: readonly Slot[],
): AsyncGenerator<readonly (TokenEvent & { readonly kind: "token" })[]> {
  const signal = sessions.signal(commonSignal(slots));
  const loop = new TokenLoop(sessions);
  await using _loop = promptly(loop, signal);
  await untilAborted(loop.join(...slots), signal);
  while (loop.slots.length > 0) {
    const events = await untilAborted(loop.step(), signal);
    yield events.map((event) => {
      if (event.kind === "failed") throw event.error;
      return event;
    });
  }
}
