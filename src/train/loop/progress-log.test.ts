/** @file The log file over a restart, and what people see. */
import { appendFile, mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { describeEvent, formatDuration, ProgressLog, progressPrinter } from "./progress-log.ts";
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

describe("describeEvent", () => {
  it("is one line", () => {
    expect(describeEvent(stepEvent(7))).toBe("step 7/100  loss 0.5123  psnr 21.50  12.3 images/s  ETA 1h01m");
    expect(describeEvent({ type: "validation", step: 3, metrics: { "psnr@0": 30 } })).toBe(
      "validation at step 3: psnr@0 30.00",
    );
    expect(describeEvent({ type: "start", step: 0, steps: 9, parameters: 2_221_211 })).toBe(
      "training 2.22 M parameters, step 0 of 9",
    );
  });

  it("tells durations", () => {
    expect([0.4, 59, 61, 3599.6, Number.POSITIVE_INFINITY].map(formatDuration)).toEqual([
      "0s",
      "59s",
      "1m01s",
      "1h00m",
      "?",
    ]);
  });
});

describe("progressPrinter", () => {
  it("rewrites one line on a terminal and always shows the last step", () => {
    let text = "";
    const show = progressPrinter({ isTTY: true, write: (part) => (text += part) });
    show(stepEvent(1));
    show(stepEvent(2));
    show(stepEvent(100));
    show({ type: "end", step: 100, model: "run/model" });
    expect(text).not.toContain("step 2/100");
    expect(text).toContain("step 100/100");
    expect(text.split("\n")).toHaveLength(2);
    expect(text.endsWith("\r\u001b[2Kdone after 100 steps: run/model\n")).toBe(true);
  });

  it("writes plain lines elsewhere", () => {
    let text = "";
    const show = progressPrinter({ write: (part) => (text += part) });
    show(stepEvent(1));
    show(stepEvent(2));
    expect(text).toBe(`${describeEvent(stepEvent(1))}\n`);
  });
});
