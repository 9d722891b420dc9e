import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { AbortedError, InputError } from "../errors.ts";
import { drawTokens, type TokenRequest } from "./draw-tokens.ts";
import type { ModelSessions } from "./model-sessions.ts";
import { openTestSessions, testRequest } from "./test-models.ts";
import { seededNoise } from "./token-noise.ts";

const SHORT = "rain";
const LONG = "Two birds sing in the old tree near the river, and a small red house stands on a green hill.";

/** Tokens of each picture, [count, 64]. */
async function drawn(sessions: ModelSessions, request: TokenRequest): Promise<Float32Array[]> {
  const steps: Float32Array[] = [];
  for await (const { token } of drawTokens(sessions, request)) steps.push(token);
  const pictures = request.rows.length / request.branches;
  return Array.from({ length: pictures }, (_, picture) =>
    Float32Array.from(steps.flatMap((token) => [...token.subarray(picture * 64, (picture + 1) * 64)])),
  );
}

/** [pictures, tokens, 64] of the first tokens. */
function prefix(pictures: readonly Float32Array[], tokens: number): Float32Array {
  return Float32Array.from(pictures.flatMap((picture) => [...picture.subarray(0, tokens * 64)]));
}

// v1.1 shares key/value heads among four query heads, v1 among two.
describe.each(["v1", "v1.1"])("drawTokens, %s", (name) => {
  let opened: Awaited<ReturnType<typeof openTestSessions>>;
  let sessions: ModelSessions;
  beforeAll(async () => {
    opened = await openTestSessions(name);
    sessions = opened.sessions;
  });
  afterAll(() => opened[Symbol.asyncDispose]());

  it("draws the same bits alone as in any batch", async () => {
    const captions = [SHORT, LONG, "a blue boat", SHORT, "x", LONG, "a blue boat", "y z"];
    const seeds = [7, 8, 9, 10, 7, 7, 7, 11];
    const batch = await drawn(sessions, await testRequest(sessions, captions, seeds));
    for (const picture of [0, 1, 3, 4]) {
      const request = await testRequest(sessions, [captions[picture] as string], [seeds[picture] as number]);
      expect((await drawn(sessions, request))[0]).toEqual(batch[picture]);
    }
    const three = await testRequest(sessions, [LONG, SHORT, LONG], [8, 7, 7]);
    expect(await drawn(sessions, three)).toEqual([batch[1], batch[0], batch[5]]);
    expect(batch[1]).not.toEqual(batch[5]);
  });

  it("goes on behind known tokens as if it had not stopped", async () => {
    const request = await testRequest(sessions, [SHORT, LONG], [1, 2]);
    const whole = await drawn(sessions, request);
    for (const known of [1, 5, 12]) {
      const rest = await drawn(sessions, { ...request, known: prefix(whole, known) });
      expect(rest).toEqual(whole.map((picture) => picture.subarray(known * 64)));
    }
  });

  it("draws the same bits when its caches grow on the way", async () => {
    const request = await testRequest(sessions, [LONG, SHORT], [3, 4]);
    const [long, ...others] = request.rows;
    // The long row starts just below the step of the caches and crosses it.
    const filler = Array.from({ length: 124 - (long?.ids.length ?? 0) }, (_, i) => 300 + (i % 50));
    const rows = [{ ids: [...filler, ...(long?.ids ?? [])] }, ...others];
    const [, short] = await drawn(sessions, { ...request, rows });
    const alone = await drawn(sessions, await testRequest(sessions, [SHORT], [4]));
    expect([short]).toEqual(alone);
  });

  it("lets image-only rows guide as well, alone as in a batch", async () => {
    const request = await testRequest(sessions, [SHORT, LONG], [5, 6], {
      guidance: { cfg: 3, cfgImg: 1.5, schedule: "linear" },
    });
    const [one, two, none] = [request.rows[0], request.rows[1], request.rows[2]];
    if (one === undefined || two === undefined || none === undefined) throw new Error("rows are missing");
    const both = await drawn(sessions, { ...request, branches: 3, rows: [one, two, two, one, none, none] });
    const first = { ...request, branches: 3 as const, rows: [one, two, none], noise: seededNoise([5]) };
    expect(await drawn(sessions, first)).toEqual([both[0]]);
  });

  it("stops between tokens when it is cancelled, and lets go of what it holds", async () => {
    const abort = new AbortController();
    const request = await testRequest(sessions, [SHORT], [1], { signal: abort.signal });
    let seen = 0;
    const run = async () => {
      for await (const { index } of drawTokens(sessions, request)) {
        seen = index + 1;
        if (seen === 3) abort.abort(new Error("enough"));
      }
    };
    await expect(run()).rejects.toThrow(AbortedError);
    expect(seen).toBe(3);
    for await (const _ of drawTokens(sessions, await testRequest(sessions, [SHORT], [1]))) break;
    await expect(drawn(sessions, request)).rejects.toThrow(AbortedError);
  });

  it("runs beside others on the same sessions", async () => {
    const requests = await Promise.all([
      testRequest(sessions, [SHORT], [1]),
      testRequest(sessions, [LONG, SHORT], [2, 3], { solver: { steps: 3 }, useNorm: true }),
      testRequest(sessions, [LONG], [4]),
    ]);
    const together = await Promise.all(requests.map((request) => drawn(sessions, request)));
    for (const [index, request] of requests.entries()) {
      expect(await drawn(sessions, request)).toEqual(together[index]);
    }
  });

  it("normalises tokens on request", async () => {
    const [tokens] = await drawn(sessions, await testRequest(sessions, [SHORT], [1], { useNorm: true }));
    const token = [...(tokens as Float32Array).subarray(64, 128)];
    const mean = token.reduce((a, b) => a + b) / 64;
    expect(mean).toBeCloseTo(0, 5);
    expect(token.reduce((a, b) => a + (b - mean) ** 2, 0) / 64).toBeCloseTo(1, 4);
  });

  it("refuses known tokens that do not fit", async () => {
    const request = await testRequest(sessions, [SHORT], [1]);
    for (const length of [63, 13 * 64]) {
      const known = new Float32Array(length);
      await expect(drawn(sessions, { ...request, known })).rejects.toThrow(InputError);
    }
  });
});

it("refuses pictures beyond the generation positions of the first release", async () => {
  await using opened = await openTestSessions("v1");
  const request = await testRequest(opened.sessions, [SHORT], [1], { count: 1025, sampler: "v1" });
  await expect(drawn(opened.sessions, request)).rejects.toThrow(/1024 generation positions/);
});
