import { afterAll, beforeAll, describe, expect, it, vi } from "vitest";
import { AbortedError, EngineError, InputError } from "../errors.ts";
import { CachedRows } from "./cached-rows.ts";
import type { ModelSessions } from "./model-sessions.ts";
import { SharedLoop } from "./shared-loop.ts";
import type { Slot } from "./slot.ts";
import { afresh, openTestSessions, testSlots } from "./test-models.ts";
import { TokenLoop } from "./token-loop.ts";

const SHORT = "rain";
const LONG = "Two birds sing in the old tree near the river, and a small red house stands on a green hill.";

async function drawn(loop: SharedLoop, slots: readonly Slot[]): Promise<Float32Array[]> {
  for await (const _ of loop.draw(slots));
  return slots.map(({ canvas }) => canvas.tokens());
}

describe("the shared loop", () => {
  let opened: Awaited<ReturnType<typeof openTestSessions>>;
  let sessions: ModelSessions;
  beforeAll(async () => {
    opened = await openTestSessions("v1.1");
    sessions = opened.sessions;
  });
  afterAll(() => opened[Symbol.asyncDispose]());

  const slots = (...seeds: number[]): Promise<Slot[]> =>
    testSlots(
      sessions,
      seeds.map((seed) => (seed % 2 === 0 ? SHORT : LONG)),
      seeds,
    );

  it("draws what comes at any moment in common steps, to the bits of each alone", async () => {
    // The first goes on for long enough that the others, whose prompts are read in between, come while it is drawn.
    const long = await testSlots(sessions, [LONG, SHORT], [1, 2], { grid: [6, 8] });
    const parties = [long, await slots(3), await slots(4)];
    const expected: Float32Array[][] = [];
    for (const party of parties) {
      const fresh = party.map((slot) => afresh(slot));
      expected.push(await drawn(new SharedLoop(sessions), fresh));
    }
    const loop = new SharedLoop(sessions);
    const [first, second, third] = parties as [Slot[], Slot[], Slot[]];
    const following: Promise<Float32Array[]>[] = [];
    let most = 0;
    let step = 0;
    for await (const _ of loop.draw(first)) {
      if (step === 2) following.push(drawn(loop, second), drawn(loop, third));
      most = Math.max(most, loop.drawn);
      step++;
    }
    const results = [first.map(({ canvas }) => canvas.tokens()), ...(await Promise.all(following))];
    expect(results).toEqual(expected);
    expect(most).toBeGreaterThan(first.length);
    expect(step).toBe(48);
  });

  it("keeps those back for whom there is no room, in the order in which they came", async () => {
    const [first, second, third] = (await slots(2, 4, 6)) as [Slot, Slot, Slot];
    const loop = new SharedLoop(sessions, { cacheBytes: 1 });
    const order: string[] = [];
    const follow = async (slot: Slot, name: string): Promise<void> => {
      for await (const _ of loop.draw([slot])) {
        expect(loop.drawn).toBeLessThanOrEqual(1);
        order.push(name);
      }
    };
    await Promise.all([follow(first, "first"), follow(second, "second"), follow(third, "third")]);
    const count = first.canvas.count;
    expect(order).toEqual(
      ["first", "second", "third"].flatMap((name) => new Array<string>(count).fill(name)),
    );
  });

  it("divides a party for which there is not enough room, and joins what follows", async () => {
    const party = await slots(2, 4, 6);
    const alone = await drawn(
      new SharedLoop(sessions),
      party.map((slot) => afresh(slot)),
    );
    const slot = party[0] as Slot;
    const places = Math.max(...slot.request.rows.map(({ ids }) => ids.length)) + slot.canvas.count;
    const two = CachedRows.bytes(sessions.folder.config, 4, places);
    const loop = new SharedLoop(sessions, { cacheBytes: two });
    const counts = new Set<number>();
    for await (const events of loop.draw(party)) counts.add(events.length);
    expect(party.map(({ canvas }) => canvas.tokens())).toEqual(alone);
    expect([...counts].sort()).toEqual([1, 2]);
  });

  it("draws no more at once than it may, though there is room", async () => {
    const party = await slots(2, 4, 6);
    const alone = await drawn(
      new SharedLoop(sessions),
      party.map((slot) => afresh(slot)),
    );
    const loop = new SharedLoop(sessions, { maxSlots: 2 });
    const counts = new Set<number>();
    for await (const events of loop.draw(party)) counts.add(events.length);
    expect(party.map(({ canvas }) => canvas.tokens())).toEqual(alone);
    expect([...counts].sort()).toEqual([1, 2]);
  });

  it("says who has no room, and not who is about to join", async () => {
    const [first, second, third] = (await slots(2, 4, 6)) as [Slot, Slot, Slot];
    const loop = new SharedLoop(sessions, { maxSlots: 2 });
    const seen: number[] = [];
    const all = [drawn(loop, [first]), drawn(loop, [second])];
    seen.push(loop.waiting);
    all.push(drawn(loop, [third]));
    seen.push(loop.waiting);
    await Promise.all(all);
    expect([...seen, loop.waiting]).toEqual([0, 1, 0]);
  });

  it("gives up what is left, waiting or drawn, and goes on with the others", async () => {
    const [left, waiting, other] = (await slots(2, 4, 6)) as [Slot, Slot, Slot];
    const expected = await drawn(new SharedLoop(sessions), [afresh(other)]);
    const abort = new AbortController();
    const loop = new SharedLoop(sessions);
    const cancelled = drawn(loop, [afresh(waiting, { signal: abort.signal })]);
    const stays = drawn(loop, [other]);
    abort.abort(new Error("enough"));
    await expect(cancelled).rejects.toThrow(AbortedError);
    let steps = 0;
    for await (const _ of loop.draw([left])) {
      steps++;
      if (steps === 3) break;
    }
    expect(await stays).toEqual(expected);
    expect(left.canvas.next).toBeLessThan(left.canvas.count);
    expect(loop.waiting).toBe(0);
  });

  it("tells one of its own failure and nobody else, and all of the engine's", async () => {
    const [wild, other, third] = (await slots(2, 4, 6)) as [Slot, Slot, Slot];
    const expected = await drawn(new SharedLoop(sessions), [afresh(other)]);
    const loop = new SharedLoop(sessions);
    const guidance = { cfg: 1e38, cfgImg: 1, schedule: "constant" } as const;
    const failing = drawn(loop, [afresh(wild, { guidance }), third]);
    const stays = drawn(loop, [other]);
    await expect(failing).rejects.toThrow(/not finite/);
    expect(await stays).toEqual(expected);

    const apart = new SharedLoop(sessions);
    vi.spyOn(sessions.engine, "runChain").mockRejectedValueOnce(new EngineError("broke", { where: "run" }));
    const ends = await Promise.allSettled([drawn(apart, [afresh(wild)]), drawn(apart, [afresh(third)])]);
    for (const end of ends) expect(end).toMatchObject({ status: "rejected", reason: { reason: "broke" } });
    // The next to come finds it in order.
    expect(await drawn(apart, [afresh(other)])).toEqual(expected);
  });

  it("goes on when one is aborted who cannot leave as it joins", async () => {
    const [left, other] = (await slots(2, 4)) as [Slot, Slot];
    const expected = await drawn(new SharedLoop(sessions), [afresh(other)]);
    const abort = new AbortController();
    const loop = new SharedLoop(sessions);
    const leave = vi.spyOn(TokenLoop.prototype, "leave").mockRejectedValue(new EngineError("broke"));
    const seen = vi.spyOn(CachedRows.prototype, "append").mockImplementationOnce(async () => {
      abort.abort();
      seen.mockRestore();
      return new Float32Array(2 * sessions.folder.config.hiddenSize);
    });
    const cancelled = drawn(loop, [afresh(left, { signal: abort.signal })]);
    const stays = drawn(loop, [other]);
    await expect(cancelled).rejects.toThrow(AbortedError);
    expect(await stays).toEqual(expected);
    expect(leave).toHaveBeenCalledTimes(2);
    leave.mockRestore();
  });

  it("refuses a slot that comes twice, together or while it is drawn", async () => {
    const [slot, other] = (await slots(2, 4)) as [Slot, Slot];
    const loop = new SharedLoop(sessions);
    await expect(drawn(loop, [slot, other, slot])).rejects.toThrow(InputError);
    const expected = await drawn(new SharedLoop(sessions), [afresh(slot)]);
    const first = drawn(loop, [slot]);
    await expect(drawn(loop, [other, slot])).rejects.toThrow("picture 1: is drawn already");
    expect(await first).toEqual(expected);
    // The refused party left nothing behind.
    expect(await drawn(loop, [other])).toHaveLength(1);
  });

  it("ends pictures that are known already without a step", async () => {
    const [slot, other] = (await slots(2, 4)) as [Slot, Slot];
    for (let cell = 0; cell < slot.canvas.count; cell++) slot.canvas.force(cell, new Float32Array(64));
    const loop = new SharedLoop(sessions);
    expect(await drawn(loop, [slot])).toHaveLength(1);
    expect(await drawn(loop, [])).toEqual([]);
    await drawn(loop, [afresh(slot), other]);
    expect(other.canvas.complete).toBe(true);
  });
});
