import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { AbortedError, InputError } from "../errors.ts";
import type { CachedRows } from "./cached-rows.ts";
import { openTestSessions } from "./test-models.ts";
import type { TokenRow } from "./token-feeds.ts";

const WIDTH = 64; // hidden size and image tokens of the test models alike

const ids = (length: number, seed = 1): number[] =>
  Array.from({ length }, (_, i) => (seed * 131 + i * i * 17) % 500);

describe("CachedRows", () => {
  let opened: Awaited<ReturnType<typeof openTestSessions>>;
  beforeAll(async () => {
    opened = await openTestSessions("v1.1");
  });
  afterAll(() => opened[Symbol.asyncDispose]());

  async function start(rows: number): Promise<CachedRows> {
    return await opened.sessions.cachedRows(rows);
  }

  async function hiddenOf(...chunks: TokenRow[][]): Promise<Float32Array> {
    await using cached = await start(chunks[0]?.length ?? 0);
    let hidden: Float32Array = new Float32Array(0);
    for (const chunk of chunks) hidden = await cached.append(chunk);
    return hidden;
  }

  function expectClose(a: Float32Array, b: Float32Array): void {
    expect(a.length).toBe(b.length);
    for (let i = 0; i < a.length; i++)
      expect(Math.abs((a[i] as number) - (b[i] as number))).toBeLessThan(2e-5);
  }

  it("gives each row's last state, whatever stands in the other rows", async () => {
    const rows = [3, 40, 17].map((length, i) => ({ ids: ids(length, i) }));
    const together = await hiddenOf(rows);
    for (const [i, row] of rows.entries()) {
      expect(together.subarray(i * WIDTH, (i + 1) * WIDTH)).toEqual(await hiddenOf([row]));
    }
  });

  it("reads the same in one piece, in several, and token by token", async () => {
    const whole = ids(20);
    const expected = await hiddenOf([{ ids: whole }]);
    expectClose(await hiddenOf([{ ids: whole.slice(0, 7) }], [{ ids: whole.slice(7) }]), expected);
    expectClose(await hiddenOf(...whole.map((id) => [{ ids: [id] }])), expected);
  });

  it("reads prompts longer than a chunk and a cache", async () => {
    const [long, short] = [ids(600), ids(5, 2)];
    const both = await hiddenOf([{ ids: long }, { ids: short }], [{ ids: [9] }, { ids: [9] }]);
    expectClose(
      both.slice(0, WIDTH),
      await hiddenOf([{ ids: long.slice(0, 100) }], [{ ids: [...long.slice(100), 9] }]),
    );
    expect(both.slice(WIDTH)).toEqual(await hiddenOf([{ ids: short }], [{ ids: [9] }]));
  });

  it("puts image tokens in their places, also across chunks", async () => {
    const tokens = Float32Array.from({ length: 30 * WIDTH }, (_, i) => Math.sin(i * 0.7));
    const text = ids(300);
    const row = { ids: text, images: [{ start: 240, tokens }] };
    const hidden = await hiddenOf([row]);
    expectClose(
      hidden,
      await hiddenOf(
        [{ ids: text.slice(0, 250), images: [{ start: 240, tokens: tokens.slice(0, 10 * WIDTH) }] }],
        [{ ids: text.slice(250), images: [{ start: 0, tokens: tokens.slice(10 * WIDTH) }] }],
      ),
    );
    expect(hidden).not.toEqual(await hiddenOf([{ ids: text }]));
    // The ids of those places do not count.
    const other = text.map((id, place) => (place >= 240 && place < 270 ? 3 : id));
    expect(await hiddenOf([{ ...row, ids: other }])).toEqual(hidden);
  });

  it("forks, truncates and removes rows, which go on as if nothing had happened to them", async () => {
    const rows = [4, 9, 6].map((length, i) => ({ ids: ids(length, i) }));
    await using cached = await start(3);
    await cached.append(rows);
    await cached.fork([2, 0]);
    expect(cached.lengths).toEqual([4, 9, 6, 6, 4]);
    expect(await cached.remove(new Set([0, 3]))).toEqual([{ from: 4, to: 0 }]);
    expect(cached.lengths).toEqual([4, 9, 6]);
    cached.truncate(1, 5);
    const next = [[{ ids: [1] }], [{ ids: [2, 3] }], [{ ids: [4] }]].flat();
    const hidden = await cached.append(next);
    expect(cached.lengths).toEqual([5, 7, 7]);
    const kept = [rows[0], { ids: (rows[1] as TokenRow).ids.slice(0, 5) }, rows[2]] as TokenRow[];
    for (const [row, own] of kept.entries()) {
      const expected = await hiddenOf([own], [next[row] as TokenRow]);
      const read = hidden.subarray(row * WIDTH, (row + 1) * WIDTH);
      if (row === 1) expectClose(read, expected);
      else expect(read).toEqual(expected);
    }
    expect(() => cached.truncate(0, 6)).toThrow(InputError);
  });

  it("takes rows from another cache, of another capacity, and leaves no trace of who stood there", async () => {
    const [long, short, other] = [ids(300, 1), ids(5, 2), ids(7, 3)].map((own) => ({ ids: own }));
    await using cached = await start(2);
    await cached.append([long, other] as TokenRow[]);
    await cached.remove(new Set([0]));
    await using apart = await start(1);
    await apart.append([short as TokenRow]);
    await cached.adopt(apart);
    expect(cached.lengths).toEqual([7, 5]);
    const hidden = await cached.append([{ ids: [8] }, { ids: [9] }]);
    expect(hidden.subarray(0, WIDTH)).toEqual(await hiddenOf([other as TokenRow], [{ ids: [8] }]));
    expect(hidden.subarray(WIDTH)).toEqual(await hiddenOf([short as TokenRow], [{ ids: [9] }]));
  });

  it("stops between chunks when it is cancelled, and keeps its rows", async () => {
    await using cached = await start(1);
    const abort = new AbortController();
    const reading = cached.append([{ ids: ids(1000) }], { signal: abort.signal });
    abort.abort();
    await expect(reading).rejects.toThrow(AbortedError);
    expect(cached.lengths).toEqual([0]);
  });

  it("refuses more tokens than the model has positions", async () => {
    await using cached = await start(1);
    const row = { ids: new Array<number>(131_073).fill(1) };
    await expect(cached.append([row])).rejects.toThrow(InputError);
    expect(cached.lengths).toEqual([0]);
  });
});
