import { afterAll, beforeAll, describe, expect, it, vi } from "vitest";
import { CachedRows, PROMPT_CHUNK } from "./cached-rows.ts";
import type { ModelSessions } from "./model-sessions.ts";
import { PromptStore } from "./prompt-store.ts";
import { readPrompts } from "./read-prompts.ts";
import { openTestSessions } from "./test-models.ts";
import type { TokenRow } from "./token-feeds.ts";

const ids = (count: number, salt: number): number[] =>
  Array.from({ length: count }, (_, i) => 300 + ((i * 7 + salt) % 50));

describe.each(["default", "v1.1"])("prompts that were read before, %s", (name) => {
  let opened: Awaited<ReturnType<typeof openTestSessions>>;
  let sessions: ModelSessions;
  const signal = new AbortController().signal;
  beforeAll(async () => {
    opened = await openTestSessions(name);
    sessions = opened.sessions;
  });
  afterAll(() => opened[Symbol.asyncDispose]());

  /** States behind the prompts, then behind one more token of each; and how many tokens were read for the former. */
  async function read(store: PromptStore, rows: readonly TokenRow[]) {
    const backbone = await sessions.backbone();
    const runs = vi.spyOn(backbone, "run");
    await using cached = await sessions.cachedRows(0);
    const prompt = await readPrompts(sessions, cached, rows, { store, signal });
    const places = runs.mock.calls.reduce((sum, [feeds]) => {
      const fed = feeds.positions as unknown as { readonly shape: readonly number[] };
      return sum + (fed.shape[1] as number);
    }, 0);
    runs.mockRestore();
    const next = await cached.append(rows.map(() => ({ ids: [301] })));
    return { numbers: [[...prompt], [...next]], places };
  }

  it("are not read again, and give the same bits", async () => {
    const { placeholder } = sessions.folder.config;
    const tokens = Float32Array.from({ length: 6 * 64 }, (_, i) => Math.sin(i));
    const begin = ids(2 * PROMPT_CHUNK + 5, 1);
    const image = { ids: [...begin.slice(0, 3), ...new Array<number>(6).fill(placeholder), ...begin] };
    const rows: TokenRow[] = [
      { ids: [...begin, ...ids(9, 2)] },
      // The same beginning, then another end; one that is wholly the beginning of another; a short one.
      { ids: [...begin, ...ids(40, 3)] },
      { ids: begin.slice(0, PROMPT_CHUNK) },
      { ids: ids(4, 4) },
      { ...image, images: [{ start: 3, tokens }] },
      // Another picture at the same place is another prompt.
      { ...image, images: [{ start: 3, tokens: tokens.map((value) => -value) }] },
      // The first prompt's beginning with a picture behind it; one of these that stands elsewhere.
      { ids: [...begin, ...image.ids], images: [{ start: begin.length + 3, tokens }] },
      { ids: ids(4, 4), position: 3 },
    ];
    const store = new PromptStore(sessions, 2 ** 30);
    for (const row of rows) {
      const plain = await read(new PromptStore(sessions, 0), [row]);
      const first = await read(store, [row]);
      const again = await read(store, [row]);
      expect(first.numbers).toEqual(plain.numbers);
      expect(again.numbers).toEqual(plain.numbers);
      expect(again.places).toBe(0);
    }
    const beginnings = new PromptStore(sessions, 2 ** 30);
    await read(beginnings, rows.slice(0, 1));
    const second = await read(beginnings, rows.slice(1, 2));
    expect(second.places).toBe(5 + 40);
    expect((await read(beginnings, rows.slice(2, 3))).places).toBe(PROMPT_CHUNK);
    const together = await read(store, [rows[3], rows[0], rows[3], rows[5]] as TokenRow[]);
    const apart = await read(new PromptStore(sessions, 0), [
      rows[3],
      rows[0],
      rows[3],
      rows[5],
    ] as TokenRow[]);
    expect(together).toEqual({ ...apart, places: 0 });
  });

  it("are forgotten, those used longest ago first, when there is no room", async () => {
    const [a, b, c] = [{ ids: ids(5, 5) }, { ids: ids(6, 6) }, { ids: ids(7, 7) }] as [
      TokenRow,
      TokenRow,
      TokenRow,
    ];
    const store = new PromptStore(sessions, 2 * CachedRows.bytes(sessions.folder.config, 1, 7));
    for (const row of [a, b, a, c]) await read(store, [row]);
    const known = [a, b, c].map((row) => store.take(row)?.tokens);
    expect(known).toEqual([5, undefined, 7]);
  });

  it("stay for who has taken them when they are forgotten, and are kept once", async () => {
    const [a, b, same] = [{ ids: ids(5, 5) }, { ids: ids(6, 6) }, { ids: ids(6, 6) }] as const;
    const { numbers } = await read(new PromptStore(sessions, 0), [a]);
    const size = CachedRows.bytes(sessions.folder.config, 1, 7);
    const store = new PromptStore(sessions, size);
    await read(store, [a]);
    const taken = store.take(a);
    await read(store, [b]);
    expect(store.take(a)).toBeUndefined();
    await using cached = await sessions.cachedRows(0);
    await cached.adopt(taken?.cached as CachedRows);
    expect([...(await cached.append([{ ids: [301] }]))]).toEqual(numbers[1]);
    const disposed = vi.spyOn(taken?.cached as CachedRows, Symbol.asyncDispose);
    await taken?.release();
    expect(disposed).toHaveBeenCalledOnce();

    const two = new PromptStore(sessions, 2 * size);
    await read(two, [a]);
    await read(two, [b, same]);
    expect(two.take(a)?.tokens).toBe(5);
  });
});
