/** @file Logs to summaries: pauses, repeated steps, torn lines. */
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, it } from "vitest";
import { DataFormatError, InputError } from "../../errors.ts";
import { summarizeLog } from "./training-summary.ts";

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "nextstep-summary-"));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

const START = Date.parse("2026-01-01T00:00:00Z");
const at = (seconds: number, event: object): string =>
  JSON.stringify({ time: new Date(START + 1000 * seconds).toISOString(), ...event });
const step = (seconds: number, number: number, loss: number): string =>
  at(seconds, { type: "step", step: number, loss, images: 16 * number, metrics: {} });

async function logOf(lines: readonly string[]): Promise<string> {
  const path = join(folder, "log.jsonl");
  await writeFile(path, lines.join("\n"));
  return path;
}

it("counts work, not pauses, and what was done twice once", async () => {
  const path = await logOf([
    at(0, { type: "start", step: 0, steps: 9 }),
    step(10, 1, 4),
    step(20, 2, 3),
    // Killed, and resumed from step 1 an hour later.
    at(3620, { type: "start", step: 1, steps: 9 }),
    step(3630, 2, 2.5),
    step(3640, 3, 2),
    at(3650, { type: "validation", step: 3, metrics: { "psnr@0": 30.12345 } }),
    `${step(3660, 4, 1).slice(0, 30)}`,
  ]);
  expect(await summarizeLog(path)).toEqual({
    steps: 3,
    images: 48,
    hours: 0.01,
    loss: [
      [1, 4],
      [2, 2.5],
      [3, 2],
    ],
    validation: [{ step: 3, metrics: { "psnr@0": 30.12 } }],
  });
});

it("keeps a few points of a long run, each the mean of its part", async () => {
  const path = await logOf(Array.from({ length: 1500 }, (_, index) => step(index, index + 1, index % 10)));
  const { loss, hours } = await summarizeLog(path);
  expect(loss).toHaveLength(150);
  expect(loss[0]).toEqual([10, 4.5]);
  expect(loss.at(-1)).toEqual([1500, 4.5]);
  expect(hours).toBe(0.42);
});

it("refuses what is no log", async () => {
  await expect(summarizeLog(await logOf(["{}"]))).rejects.toThrow(DataFormatError);
  await expect(summarizeLog(await logOf([at(0, { type: "step", step: "one" })]))).rejects.toThrow(
    DataFormatError,
  );
  await expect(summarizeLog(await logOf([at(0, { type: "start" })]))).rejects.toThrow(InputError);
  await expect(summarizeLog(join(folder, "none"))).rejects.toThrow(InputError);
});
