/** @file The log file over a restart. */
import { appendFile, mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { ProgressLog } from "./progress-log.ts";
import type { TrainEvent } from "./train-events.ts";

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "log-"));
});
afterEach(() => rm(folder, { recursive: true }));

const stepEvent = (step: number): TrainEvent => ({
  type: "step",
  step,
  steps: 100,
  loss: 0.51234,
  metrics: { psnr: 21.5 },
  rateFactor: 1,
  rate: 0.1,
  gradientNorm: 2,
  images: 8 * step,
  imagesPerSecond: 12.34,
  etaSeconds: 3700,
});

describe("ProgressLog", () => {
  it("drops lines of steps that are taken again, and a torn last line", async () => {
    const path = join(folder, "deep", "log.jsonl");
    const first = await ProgressLog.open(path, 0);
    for (const step of [1, 2, 3, 4]) await first.write(stepEvent(step));
    await first.close();
    await appendFile(path, '{"time":"2026');
    const second = await ProgressLog.open(path, 2);
    await second.write(stepEvent(3));
    await second.close();
    const lines = (await readFile(path, "utf8")).trimEnd().split("\n");
    const events = lines.map((line) => JSON.parse(line));
    expect(events.map(({ step }) => step)).toEqual([1, 2, 3]);
    expect(events[2]).toMatchObject({ type: "step", loss: 0.51234, images: 24 });
    expect(Date.parse(events[0].time)).toBeGreaterThan(0);
  });
});
