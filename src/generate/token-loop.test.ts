import { afterAll, beforeAll, describe, expect, it, vi } from "vitest";
import { AbortedError, EngineError, InputError } from "../errors.ts";
import type { HostTensor } from "../runtime/engine.ts";
import { CounterRng } from "../tensor/counter-rng.ts";
import type { ModelSessions } from "./model-sessions.ts";
import { SharedLoop } from "./shared-loop.ts";
import { Slot } from "./slot.ts";
import type { SamplerName } from "./solvers.ts";
import { afresh, drawAlone, drawTogether, openTestSessions, testSlots } from "./test-models.ts";
import type { TokenRow } from "./token-feeds.ts";
import { TokenLoop } from "./token-loop.ts";
import { seededNoise } from "./token-noise.ts";

const SHORT = "rain";
const LONG = "Two birds sing in the old tree near the river, and a small red house stands on a green hill.";

/** Steps until nobody is left; errors by slot. */
async function finish(loop: TokenLoop): Promise<Map<Slot, Error>> {
  const errors = new Map<Slot, Error>();
  while (loop.slots.length > 0) {
    for (const event of await loop.step()) if (event.kind === "failed") errors.set(event.slot, event.error);
  }
  return errors;
}

const ANNEALING = [
  { lastSteps: 2, schedule: "linear" },
  undefined,
  { lastSteps: 2, schedule: "two-stage" },
] as const;

/** Eight pictures, no two alike in anything that can differ. */
async function eight(sessions: ModelSessions): Promise<Slot[]> {
  const variety: [SamplerName, number, number, "constant" | "linear", [number, number], string][] = [
    ["sde", 4, 3, "constant", [3, 4], SHORT],
    ["ode", 7, 1, "constant", [2, 2], LONG],
    ["cps", 3, 2, "linear", [4, 3], SHORT],
    ["v1.1", 9, 5, "constant", [1, 5], "a blue boat"],
    ["v1", 5, 2.5, "linear", [3, 3], LONG],
    ["sde", 2, 1, "constant", [5, 2], "x"],
    ["ode", 12, 4, "linear", [2, 5], "a blue boat"],
    ["sde", 8, 7.5, "constant", [4, 4], "y z"],
  ];
  const slots: Slot[] = [];
  for (const [index, [sampler, steps, cfg, schedule, grid, caption]] of variety.entries()) {
    const guidance = { cfg, cfgImg: 1, schedule, until: index % 2 === 0 ? 0.4 : 1 };
    const annealing = ANNEALING[index % ANNEALING.length];
    const rowLag = [null, 1, 2, null, 2][index % 5] ?? null;
    const options = {
      ...{ sampler, solver: { steps }, annealing, guidance },
      ...{ grid, rowLag, useNorm: index % 3 === 0 },
    };
    slots.push(...(await testSlots(sessions, [caption], [index], options)));
  }
  return slots;
}

describe.each([
  ["default", 1],
  ["default", 2],
  ["v1.1", 2],
] as const)("pictures that come and go, %s at %i threads", (name, threads) => {
  it("are each the same as drawn alone", async () => {
    await using opened = await openTestSessions(name, threads);
    const { sessions } = opened;
    const slots = await eight(sessions);
    const expected: Float32Array[] = [];
    for (const slot of slots) expected.push(await drawAlone(sessions, slot));
    const random = new CounterRng(17);
    await using loop = new TokenLoop(sessions);
    const waiting = [...slots];
    const gone: Slot[] = [];
    const joins: Promise<void>[] = [];
    while (waiting.length > 0 || loop.slots.length > 0) {
      // Some join together, some while others are drawn; now and then one leaves early and comes back from its start.
      while (waiting.length > 0 && (loop.slots.length === 0 || random.uniform() < 0.35)) {
        const joining = waiting.splice(0, random.uniform() < 0.5 ? 2 : 1);
        const join = loop.join(...joining);
        joins.push(join);
        if (loop.slots.length === 0 || random.uniform() < 0.5) await join;
      }
      await loop.step();
      const [first] = loop.slots;
      if (gone.length < 3 && first !== undefined && random.uniform() < 0.1) {
        await loop.leave(first);
        gone.push(first);
        const again = afresh(first);
        slots[slots.indexOf(first)] = again;
        waiting.push(again);
      }
      if (waiting.length === 0 && loop.slots.length === 0) await Promise.all(joins);
    }
    await Promise.all(joins);
    await finish(loop);
    expect(gone.length).toBeGreaterThan(0);
    expect(slots.map(({ canvas }) => canvas.cells())).toEqual(expected);
  });
});

// v1.1 shares key/value heads among four query heads, v1 among two.
describe.each(["v1", "v1.1"])("the token loop, %s", (name) => {
  let opened: Awaited<ReturnType<typeof openTestSessions>>;
  let sessions: ModelSessions;
  beforeAll(async () => {
    opened = await openTestSessions(name);
    sessions = opened.sessions;
  });
  afterAll(() => opened[Symbol.asyncDispose]());

  it("draws the same bits when its caches grow on the way", async () => {
    const [long, short] = await testSlots(sessions, [LONG, SHORT], [3, 4]);
    const rows = (long as Slot).request.rows;
    // The long row starts just below the step of the caches and crosses it.
    const filler = Array.from({ length: 124 - (rows[0]?.ids.length ?? 0) }, (_, i) => 300 + (i % 50));
    const filled = [{ ids: [...filler, ...(rows[0]?.ids ?? [])] }, ...rows.slice(1)];
    const pair = [afresh(long as Slot, { rows: filled }), short as Slot];
    const [, drawnShort] = await drawTogether(sessions, pair);
    expect(drawnShort).toEqual(await drawAlone(sessions, short as Slot));
  });

  it("lets a picture with input images be guided by them, beside others", async () => {
    const [edited, other] = await testSlots(sessions, [LONG, SHORT], [5, 6]);
    const [condition, none] = (edited as Slot).request.rows as [TokenRow, TokenRow];
    const tokens = Float32Array.from({ length: 6 * 64 }, (_, i) => Math.sin(i));
    const image = { ids: [...new Array<number>(6).fill(sessions.folder.config.placeholder), ...none.ids] };
    const rows = [condition, { ...image, images: [{ start: 0, tokens }] }, none];
    const guidance = { cfg: 3, cfgImg: 1.5, schedule: "linear" } as const;
    const three = afresh(edited as Slot, { rows, guidance });
    const [first] = await drawTogether(sessions, [three, other as Slot]);
    expect(first).toEqual(await drawAlone(sessions, three));
    expect(first).not.toEqual(await drawAlone(sessions, edited as Slot));
  });

  it("goes on behind known tokens as if it had not stopped", async () => {
    const slots = await testSlots(sessions, [SHORT, LONG], [1, 2]);
    const whole = await drawTogether(sessions, slots);
    for (const known of [1, 5, 12]) {
      const resumed = slots.map((slot) => afresh(slot));
      resumed.forEach(({ canvas }, picture) => {
        // Each picture knows another number of tokens.
        for (let cell = 0; cell < Math.max(0, known - picture); cell++) {
          canvas.force(cell, (whole[picture] as Float32Array).subarray(cell * 64, (cell + 1) * 64));
        }
      });
      expect(await drawTogether(sessions, resumed)).toEqual(whole);
    }
  });

  it("reads tokens that are given in the middle where it would draw", async () => {
    const [slot] = await testSlots(sessions, [SHORT], [1]);
    const whole = await drawAlone(sessions, slot as Slot);
    const given = Float32Array.from({ length: 64 }, (_, i) => Math.cos(i));
    const masked = afresh(slot as Slot);
    masked.canvas.force(4, given);
    masked.canvas.force(11, given);
    const [tokens] = await drawTogether(sessions, [masked]);
    expect(tokens?.subarray(0, 4 * 64)).toEqual(whole.subarray(0, 4 * 64));
    expect(tokens?.subarray(4 * 64, 5 * 64)).toEqual(given);
    expect(tokens?.subarray(11 * 64)).toEqual(given);
    expect(tokens?.subarray(5 * 64, 6 * 64)).not.toEqual(whole.subarray(5 * 64, 6 * 64));
    // The same tokens, given where they were drawn, change nothing.
    const repeated = afresh(masked);
    for (const cell of [0, 1, 4, 7, 11]) {
      repeated.canvas.force(cell, (tokens as Float32Array).subarray(cell * 64, (cell + 1) * 64));
    }
    expect(await drawTogether(sessions, [repeated])).toEqual([tokens]);
  });

  it("draws a canvas that is rewound again, beside another that goes on", async () => {
    const [slot, other] = (await testSlots(sessions, [SHORT, LONG], [1, 2])) as [Slot, Slot];
    const expected = await drawTogether(sessions, [afresh(slot), afresh(other)]);
    await using loop = new TokenLoop(sessions);
    await loop.join(slot, other);
    for (let step = 0; step < 6; step++) await loop.step();
    slot.canvas.rewind(1);
    for (let step = 0; step < 3; step++) await loop.step();
    slot.canvas.rewind(0);
    expect(slot.canvas.next).toBe(0);
    await finish(loop);
    expect([slot.canvas.cells(), other.canvas.cells()]).toEqual(expected);
  });

  it.each([
    ["its prompts", 0],
    ["its known tokens", 1],
  ])(
    "draws a canvas again that is rewound while the engine reads %s, and while it draws",
    async (_, replay) => {
      const guidance = { cfg: 3, cfgImg: 1, schedule: "constant", until: 0.5 } as const;
      const [slot, other] = (await testSlots(sessions, [SHORT, LONG], [1, 2], { guidance })) as [Slot, Slot];
      const expected = await drawTogether(sessions, [afresh(slot), afresh(other)]);
      const known = expected[0] as Float32Array;
      // Beyond where it is guided.
      for (let cell = 0; cell < 7; cell++)
        slot.canvas.force(cell, known.subarray(cell * 64, (cell + 1) * 64));
      await using loop = new TokenLoop(sessions);
      const backbone = await sessions.backbone();
      const { run } = backbone;
      const runs = vi.spyOn(backbone, "run").mockImplementation((...given) => {
        const fed = given[0].replay as HostTensor;
        if (fed.data[0] === replay) slot.canvas.rewind(1);
        return run.apply(backbone, given);
      });
      await loop.join(slot, other);
      runs.mockRestore();
      expect(slot.canvas.next).toBe(4);
      for (let step = 0; step < 4; step++) await loop.step();
      const { runChain } = sessions.engine;
      const chains = vi.spyOn(sessions.engine, "runChain").mockImplementationOnce((links) => {
        slot.canvas.rewind(0);
        return runChain.call(sessions.engine, links);
      });
      await finish(loop);
      chains.mockRestore();
      expect([slot.canvas.cells(), other.canvas.cells()]).toEqual(expected);
    },
  );

  it("ends one slot alone that is aborted while its rows are read in anew", async () => {
    const guidance = { cfg: 3, cfgImg: 1, schedule: "constant", until: 0.4 } as const;
    const abort = new AbortController();
    const [slot, other] = (await testSlots(sessions, [SHORT, LONG], [1, 2], { guidance })) as [Slot, Slot];
    const cancelled = afresh(slot, { signal: abort.signal });
    await using loop = new TokenLoop(sessions);
    await loop.join(cancelled, other);
    for (let step = 0; step < 7; step++) await loop.step();
    cancelled.canvas.rewind(1);
    const rows = vi.spyOn(sessions, "cachedRows").mockImplementationOnce((...given) => {
      abort.abort();
      return sessions.cachedRows(...given);
    });
    const errors = await finish(loop);
    rows.mockRestore();
    expect([...errors]).toEqual([[cancelled, expect.any(AbortedError)]]);
    expect(other.canvas.cells()).toEqual(await drawAlone(sessions, other));
  });

  it("reads a token that is given while another is drawn for its cell", async () => {
    const [slot] = (await testSlots(sessions, [SHORT], [1])) as [Slot];
    const given = Float32Array.from({ length: 64 }, (_, i) => Math.cos(i));
    const masked = afresh(slot);
    masked.canvas.force(1, given);
    const expected = await drawAlone(sessions, slot);
    await using loop = new TokenLoop(sessions);
    await loop.join(slot);
    await loop.step();
    const { runChain } = sessions.engine;
    vi.spyOn(sessions.engine, "runChain").mockImplementationOnce((links) => {
      slot.canvas.force(1, given);
      return runChain.call(sessions.engine, links);
    });
    await finish(loop);
    expect(slot.canvas.cells(0, 1)).toEqual(expected.subarray(0, 64));
    expect([slot.canvas.cells()]).toEqual(await drawTogether(sessions, [masked]));
  });

  it("ends one slot by its own signal within a token, and no other", async () => {
    const abort = new AbortController();
    const [slot, other] = (await testSlots(sessions, [SHORT, LONG], [1, 2])) as [Slot, Slot];
    const cancelled = afresh(slot, { signal: abort.signal });
    await using loop = new TokenLoop(sessions);
    await loop.join(cancelled, other);
    await loop.step();
    await loop.step();
    abort.abort(new Error("enough"));
    const errors = await finish(loop);
    expect(errors.get(cancelled)).toBeInstanceOf(AbortedError);
    expect(errors.size).toBe(1);
    expect(cancelled.canvas.next).toBe(2);
    expect(other.canvas.cells()).toEqual(await drawAlone(sessions, other));
  });

  it("ends a slot whose numbers are not finite, names it, and leaves nothing of them to others", async () => {
    const [slot, other, later] = (await testSlots(sessions, [SHORT, LONG, LONG], [1, 2, 3])) as [
      Slot,
      Slot,
      Slot,
    ];
    const guidance = { cfg: 1e38, cfgImg: 1, schedule: "constant" } as const;
    const wild = afresh(slot, { guidance });
    // Finite, but nothing that the backbone can read.
    const huge = afresh(slot, { name: "huge" });
    huge.canvas.force(1, new Float32Array(64).fill(3e38));
    await using loop = new TokenLoop(sessions);
    await loop.join(wild, huge, other);
    const errors = new Map<Slot, Error>();
    while (loop.slots.includes(huge) || loop.slots.includes(wild)) {
      for (const event of await loop.step()) if (event.kind === "failed") errors.set(event.slot, event.error);
    }
    expect(errors.get(wild)).toBeInstanceOf(EngineError);
    expect(errors.get(wild)?.message).toMatch(/picture 1: token \d+ of 12 .* not finite/);
    expect(errors.get(huge)?.message).toMatch(/huge: token \d+ of 12 .* not finite/);
    await loop.join(later);
    expect(await finish(loop)).toEqual(new Map());
    expect(other.canvas.cells()).toEqual(await drawAlone(sessions, other));
    expect(later.canvas.cells()).toEqual(await drawAlone(sessions, later));
  });

  it("draws with hundreds of steps", async () => {
    const [slot] = await testSlots(sessions, [SHORT], [1], { grid: [1, 2], solver: { steps: 901 } });
    expect((await drawAlone(sessions, slot as Slot)).length).toBe(2 * 64);
  });

  it("normalises tokens on request", async () => {
    const [slot] = await testSlots(sessions, [SHORT], [1], { useNorm: true });
    const token = [...(await drawAlone(sessions, slot as Slot)).subarray(64, 128)];
    expect(token.reduce((a, b) => a + b) / 64).toBeCloseTo(0, 5);
    expect(token.reduce((a, b) => a + b ** 2, 0) / 64).toBeCloseTo(1, 4);
  });

  it("runs beside other loops, and can be left", async () => {
    const slots = await testSlots(sessions, [SHORT, LONG], [1, 4]);
    for await (const _ of new SharedLoop(sessions).draw([afresh(slots[0] as Slot)])) break;
    const together = await Promise.all(slots.map((slot) => drawAlone(sessions, slot)));
    expect(await drawTogether(sessions, slots)).toEqual(together);
  });
});

it("refuses pictures beyond the model before it reads a weight", async () => {
  await using opened = await openTestSessions("v1");
  const { sessions } = opened;
  const [slot] = (await testSlots(sessions, [SHORT], [1])) as [Slot];
  const [large] = (await testSlots(sessions, [SHORT], [1], { sampler: "v1", grid: [25, 41] })) as [Slot];
  await using loop = new TokenLoop(sessions);
  await expect(loop.join(large)).rejects.toThrow(/1024 generation positions/);
  const { maxPositions } = sessions.folder.config;
  const rows = slot.request.rows.map(() => ({ ids: new Array<number>(maxPositions - 10).fill(1) }));
  const long = new Slot({ ...slot.request, rows, noise: seededNoise(1) });
  await expect(loop.join(long)).rejects.toThrow(InputError);
  await expect(loop.join(long)).rejects.toThrow(`${maxPositions - 10} tokens of the prompt and 12`);
});
