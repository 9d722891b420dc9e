import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { AbortedError, ConfigError } from "../errors.ts";
import { loadTokenizer, type TextTokenizer } from "../sequence/tokenizer.ts";
import { CounterRng } from "../tensor/counter-rng.ts";
import { chooseToken } from "./choose-token.ts";
import { openTestSessions } from "./test-models.ts";
import { type TextRequest, type TextStep, textPieces, writeTokens } from "./write-text.ts";
import type { FinishReason } from "./written-text.ts";

let opened: Awaited<ReturnType<typeof openTestSessions>>;
let tokenizer: TextTokenizer;
beforeAll(async () => {
  opened = await openTestSessions("v1.1");
  tokenizer = await loadTokenizer(opened.sessions.folder.files);
});
afterAll(() => opened[Symbol.asyncDispose]());

async function* given(ids: readonly number[]): AsyncGenerator<TextStep, FinishReason> {
  for (const id of ids) yield { id, logits: new Float32Array(0) };
  return "stop";
}

/** Why a text ended. */
async function reason(
  items: AsyncGenerator<unknown, FinishReason | undefined>,
): Promise<FinishReason | undefined> {
  for (;;) {
    const { done, value } = await items.next();
    if (done === true) return value;
  }
}

async function all<Item>(items: AsyncIterable<Item>): Promise<Item[]> {
  const list: Item[] = [];
  for await (const item of items) list.push(item);
  return list;
}

describe("textPieces", () => {
  it("holds a character back until all its bytes are there", async () => {
    const ids = tokenizer.encode("a€b");
    const pieces = await all(textPieces(tokenizer, given(ids)));
    expect(pieces.join("")).toBe("a€b");
    expect(pieces.some((piece) => piece.includes("\uFFFD"))).toBe(false);
    expect(ids.length).toBeGreaterThan(pieces.length);
  });

  it("shows what never became a character at the end, and no special tokens", async () => {
    const [first] = tokenizer.encode("€");
    expect(await all(textPieces(tokenizer, given([first as number])))).toEqual(["\uFFFD"]);
    const { eos } = tokenizer.specials;
    expect((await all(textPieces(tokenizer, given([eos, ...tokenizer.encode("a")])))).join("")).toBe("a");
    expect(await all(textPieces(tokenizer, given([])))).toEqual([]);
  });
});

describe("writeTokens", () => {
  const request = (change: Partial<TextRequest> = {}): TextRequest => ({
    row: { ids: tokenizer.encode("Two birds") },
    maxTokens: 6,
    stop: new Set(),
    seed: 1,
    ...change,
  });
  const ids = async (change?: Partial<TextRequest>) =>
    (await all(writeTokens(opened.sessions, request(change)))).map(({ id }) => id);

  it("stops in front of a stop id, and at the limit", async () => {
    const free = await ids();
    expect(free).toHaveLength(6);
    const third = free[2] as number;
    expect(await ids({ stop: new Set([third]) })).toEqual(free.slice(0, free.indexOf(third)));
  });

  it("says why it ended, through the pieces of text too", async () => {
    const stop = new Set([(await ids())[2] as number]);
    const { sessions } = opened;
    expect(await reason(writeTokens(sessions, request()))).toBe("length");
    expect(await reason(writeTokens(sessions, request({ stop })))).toBe("stop");
    expect(await reason(textPieces(tokenizer, writeTokens(sessions, request({ stop }))))).toBe("stop");
  });

  it("refuses what cannot fit before it is read", async () => {
    await expect(ids({ maxTokens: 200_000 })).rejects.toThrow(/more than the model's 131072 positions/);
  });

  it("stops between chunks of a long prompt", async () => {
    const abort = new AbortController();
    const row = { ids: new Array<number>(5000).fill(7) };
    const writing = ids({ row, signal: abort.signal });
    setTimeout(() => abort.abort(), 20);
    await expect(writing).rejects.toThrow(AbortedError);
  });

  it("continues its own text as if it had not stopped", async () => {
    const free = await ids();
    const row = { ids: [...tokenizer.encode("Two birds"), ...free.slice(0, 3)] };
    expect(await ids({ row, maxTokens: 3 })).toEqual(free.slice(3));
  });

  it("draws each token with the next number of the seed", async () => {
    const sampling = { temperature: 2, topK: 40, maxTokens: 12, seed: 3 };
    const steps = await all(writeTokens(opened.sessions, request(sampling)));
    const random = new CounterRng(3);
    const chosen = steps.map(({ logits }) => chooseToken(logits, sampling, random.uniform()));
    expect(steps.map(({ id }) => id)).toEqual(chosen);
    const best = steps.map(({ logits }) => chooseToken(logits, {}, 0));
    expect(chosen).not.toEqual(best);
  });

  it("refuses settings and stops when cancelled", async () => {
    await expect(ids({ topP: 2 })).rejects.toThrow(ConfigError);
    await expect(ids({ signal: AbortSignal.abort() })).rejects.toThrow(AbortedError);
  });
});
