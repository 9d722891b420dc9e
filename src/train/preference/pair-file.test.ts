import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { DataFormatError, InputError } from "../../errors.ts";
import { PAIRS_FILE, readPairs, writePairs } from "./pair-file.ts";

let folder = "";
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "nextstep-pairs-"));
});
afterAll(() => rm(folder, { recursive: true }));

const PAIR = { prompt: "two dogs", winner: "a.png", loser: "sub/b.png" };
const put = (text: string | Uint8Array) => writeFile(join(folder, PAIRS_FILE), text);

describe("pairs.jsonl", () => {
  it("is read as it was written, the paths below its folder", async () => {
    const scored = { ...PAIR, winnerReward: 1, loserReward: -0.5 };
    await writePairs(folder, [PAIR, scored]);
    expect(await readPairs(folder)).toEqual([
      {
        ...PAIR,
        ...{ winnerPath: join(folder, "a.png"), loserPath: join(folder, "sub", "b.png") },
        where: `${join(folder, PAIRS_FILE)}:1`,
      },
      expect.objectContaining(scored),
    ]);
  });

  it("may be written by hand: a byte order mark, other line ends, empty lines", async () => {
    await put(`\ufeff${JSON.stringify(PAIR)}\r\n\r\n  \n${JSON.stringify(PAIR)}`);
    expect(await readPairs(folder)).toHaveLength(2);
  });

  const hostile: Readonly<Record<string, readonly [line: string, message: RegExp]>> = {
    "no JSON": ["{", /:2: is not JSON.*write \{"prompt"/],
    "no object": ["[]", /:2: pair: .*object/],
    null: ["null", /:2: pair: /],
    "a missing loser": ['{"prompt":"a","winner":"a.png"}', /:2: loser: /],
    "a prompt of white space": [JSON.stringify({ ...PAIR, prompt: " \n" }), /:2: prompt: is empty/],
    "a prompt that is a number": [JSON.stringify({ ...PAIR, prompt: 3 }), /:2: prompt: /],
    "a prompt that is too long": [
      JSON.stringify({ ...PAIR, prompt: "a".repeat(2 ** 21) }),
      /:2: prompt: has 2097152/,
    ],
    "an unknown key": [JSON.stringify({ ...PAIR, winer: "a" }), /:2: .*winer/],
    "a key that is a prototype": [
      '{"__proto__":{},"prompt":"a","winner":"a","loser":"b"}',
      /:2: .*__proto__/,
    ],
    "a path above": [JSON.stringify({ ...PAIR, winner: "../a.png" }), /:2: names a picture outside/],
    "a path that comes back": [
      JSON.stringify({ ...PAIR, loser: "x/../../a.png" }),
      /:2: names a picture outside/,
    ],
    "an absolute path": [JSON.stringify({ ...PAIR, loser: "/etc/passwd" }), /:2: names a picture outside/],
    "a NUL": [JSON.stringify({ ...PAIR, loser: "a\u0000.png" }), /:2: names a picture outside/],
    "a picture against itself": [
      JSON.stringify({ ...PAIR, loser: "./a.png" }),
      /:2: winner and loser are one/,
    ],
    "a reward that is no number": [
      `{"winnerReward":1e999,${JSON.stringify(PAIR).slice(1)}`,
      /:2: winnerReward/,
    ],
  };
  it.each(Object.entries(hostile))("refuses %s, by its line", async (_name, [line, message]) => {
    await put(`${JSON.stringify(PAIR)}\n${line}\n`);
    const error = await readPairs(folder).catch((caught: unknown) => caught);
    expect(error).toBeInstanceOf(DataFormatError);
    expect((error as Error).message).toMatch(message);
  });

  it("refuses a file that is missing, empty, or no text", async () => {
    await rm(join(folder, PAIRS_FILE), { force: true });
    await expect(readPairs(folder)).rejects.toThrow(InputError);
    await put("\n\n");
    await expect(readPairs(folder)).rejects.toThrow("holds no pairs");
    await put(Uint8Array.of(0xff, 0x00, 0xc0));
    await expect(readPairs(folder)).rejects.toThrow(DataFormatError);
  });
});
