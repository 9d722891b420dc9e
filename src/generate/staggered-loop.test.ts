import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { ModelSessions } from "./model-sessions.ts";
import type { Slot } from "./slot.ts";
import { afresh, drawTogether, openTestSessions, testSlots } from "./test-models.ts";
import { TokenLoop } from "./token-loop.ts";

const SHORT = "rain";
const LONG = "Two birds sing in the old tree near the river.";
const WIDTH = 64;

// v1.1 shares key/value heads among four query heads, v1 among two.
describe.each(["v1", "v1.1", "default"])("staggered rows, %s", (name) => {
  let opened: Awaited<ReturnType<typeof openTestSessions>>;
  let sessions: ModelSessions;
  beforeAll(async () => {
    opened = await openTestSessions(name);
    sessions = opened.sessions;
  });
  afterAll(() => opened[Symbol.asyncDispose]());
  const slotsOf = (rowLag: number | null, ...seeds: number[]) =>
    testSlots(
      sessions,
      seeds.map((seed) => (seed % 2 === 0 ? SHORT : LONG)),
      seeds,
      { grid: [4, 4], rowLag },
    ) as Promise<[Slot, ...Slot[]]>;

  it("draw the bits of raster order when a row is a whole one ahead", async () => {
    const [plain] = await slotsOf(null, 1);
    const [whole] = await slotsOf(4, 1);
    expect(await drawTogether(sessions, [whole])).toEqual(await drawTogether(sessions, [plain]));
  });

  it("draw rows at once, the first two as in raster order", async () => {
    const [plain] = await slotsOf(null, 1);
    const [staggered] = await slotsOf(2, 1);
    await using loop = new TokenLoop(sessions);
    await loop.join(staggered);
    const cells: number[][] = [];
    while (loop.slots.length > 0) {
      const events = await loop.step();
      cells.push(events.map((event) => (event.kind === "token" ? event.cell : -1)));
    }
    expect(cells.slice(4)).toEqual([[4], [5], [6, 8], [7, 9], [10, 12], [11, 13], [14], [15]]);
    const [tokens] = await drawTogether(sessions, [plain]);
    expect(staggered.canvas.cells(0, 8)).toEqual(tokens?.subarray(0, 8 * WIDTH));
    expect(staggered.canvas.cells(8, 9)).not.toEqual(tokens?.subarray(8 * WIDTH, 9 * WIDTH));
  });

  it("do not depend on what else is drawn", async () => {
    const [plain] = await slotsOf(null, 3);
    const [one, two] = (await slotsOf(1, 1, 2)) as [Slot, Slot];
    const [three] = await slotsOf(3, 5);
    const slots = [plain, one, three, two];
    const alone = [];
    for (const slot of slots) alone.push(...(await drawTogether(sessions, [afresh(slot)])));
    expect(await drawTogether(sessions, slots)).toEqual(alone);
  });

  it("go on behind any of their tokens, also in the middle of what is drawn together", async () => {
    const [slot] = await slotsOf(1, 1);
    const [whole] = (await drawTogether(sessions, [slot])) as [Float32Array];
    const { order } = slot.canvas;
    for (const known of [4, 6, 7, 8, 9, 12, 15, 16]) {
      const resumed = afresh(slot);
      for (let turn = 0; turn < known; turn++) {
        const cell = order.cellAt(turn);
        resumed.canvas.force(cell, whole.subarray(cell * WIDTH, (cell + 1) * WIDTH));
      }
      expect(await drawTogether(sessions, [resumed]), `behind ${known}`).toEqual([whole]);
    }
  });

  it("are drawn again when they are rewound", async () => {
    const [slot] = await slotsOf(1, 1);
    const expected = await drawTogether(sessions, [afresh(slot)]);
    await using loop = new TokenLoop(sessions);
    await loop.join(slot);
    for (let step = 0; step < 7; step++) await loop.step();
    slot.canvas.rewind(2);
    const { order } = slot.canvas;
    expect(slot.canvas.next).toBe(order.turnOf(5));
    for (let step = 0; step < 3; step++) await loop.step();
    slot.canvas.rewind(0);
    while (loop.slots.length > 0) await loop.step();
    expect([slot.canvas.cells()]).toEqual(expected);
  });
});
