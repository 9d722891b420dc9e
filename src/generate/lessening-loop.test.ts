import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { ModelSessions } from "./model-sessions.ts";
import type { Slot } from "./slot.ts";
import { afresh, drawAlone, drawTogether, openTestSessions, testSlots } from "./test-models.ts";
import { TokenLoop } from "./token-loop.ts";

const SHORT = "rain";
const LONG = "Two birds sing in the old tree near the river, and a small red house stands on a green hill.";

async function finish(loop: TokenLoop): Promise<void> {
  while (loop.slots.length > 0) await loop.step();
}

// v1.1 shares key/value heads among four query heads, v1 among two.
describe.each(["v1", "v1.1"])("work that lessens along the tokens, %s", (name) => {
  let opened: Awaited<ReturnType<typeof openTestSessions>>;
  let sessions: ModelSessions;
  beforeAll(async () => {
    opened = await openTestSessions(name);
    sessions = opened.sessions;
  });
  afterAll(() => opened[Symbol.asyncDispose]());

  it("draws the last tokens by the condition alone where guidance ends before them", async () => {
    const guidance = { cfg: 3, cfgImg: 1, schedule: "constant", until: 0.4 } as const;
    const [slot, other] = (await testSlots(sessions, [SHORT, LONG], [1, 2])) as [Slot, Slot];
    const short = afresh(slot, { guidance });
    const whole = await drawAlone(sessions, slot);
    const [tokens] = (await drawTogether(sessions, [short, afresh(other)])) as [Float32Array];
    // 5 of 12 tokens.
    expect(tokens.subarray(0, 5 * 64)).toEqual(whole.subarray(0, 5 * 64));
    expect(tokens.subarray(5 * 64, 6 * 64)).not.toEqual(whole.subarray(5 * 64, 6 * 64));
    const unguided = afresh(slot, { rows: slot.request.rows.slice(0, 1) });
    for (let cell = 0; cell < 5; cell++) {
      unguided.canvas.force(cell, tokens.subarray(cell * 64, (cell + 1) * 64));
    }
    expect(await drawTogether(sessions, [unguided])).toEqual([tokens]);
  });

  it("guides again a picture that is rewound to where it was guided", async () => {
    const guidance = { cfg: 3, cfgImg: 1, schedule: "constant", until: 0.4 } as const;
    const [slot, other] = (await testSlots(sessions, [SHORT, LONG], [1, 2], { guidance })) as [Slot, Slot];
    const expected = await drawTogether(sessions, [afresh(slot), afresh(other)]);
    await using loop = new TokenLoop(sessions);
    await loop.join(slot, other);
    for (let step = 0; step < 7; step++) await loop.step();
    slot.canvas.rewind(1);
    for (let step = 0; step < 3; step++) await loop.step();
    slot.canvas.rewind(0);
    await finish(loop);
    expect([slot.canvas.cells(), other.canvas.cells()]).toEqual(expected);
  });

  it("gives each token the steps that its place among all has", async () => {
    const [slot] = (await testSlots(sessions, [SHORT], [1], { solver: { steps: 6 } })) as [Slot];
    const staged = afresh(slot, { annealing: { lastSteps: 2, schedule: "two-stage" } });
    const [whole, tokens] = [await drawAlone(sessions, slot), await drawAlone(sessions, staged)];
    expect(tokens.subarray(0, 6 * 64)).toEqual(whole.subarray(0, 6 * 64));
    const few = afresh(slot, { solver: { steps: 2 } });
    for (let cell = 0; cell < 6; cell++) few.canvas.force(cell, tokens.subarray(cell * 64, (cell + 1) * 64));
    expect(await drawTogether(sessions, [few])).toEqual([tokens]);
  });
});
