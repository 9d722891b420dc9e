import { describe, expect, it } from "vitest";
import type { TrainEvent } from "../train/loop/train-events.ts";
import { testTerminal } from "./test-terminal.ts";
import { describeEvent, progressPrinter } from "./train-progress.ts";

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

describe("describeEvent", () => {
  it("is one line", () => {
    expect(describeEvent(stepEvent(7))).toBe(
      "step 7/100  loss 0.5123  psnr 21.50  rate 0.100  12.3 images/s  ETA 1h01m",
    );
    expect(describeEvent({ type: "validation", step: 3, metrics: { "psnr@0": 30 } })).toBe(
      "validation at step 3: psnr@0 30.00",
    );
    expect(describeEvent({ type: "start", step: 0, steps: 9, parameters: 2_221_211 })).toBe(
      "training 2.22 M parameters, step 0 of 9",
    );
  });
});

describe("progressPrinter", () => {
  it("rewrites one line on a terminal and always shows the last step", () => {
    const terminal = testTerminal({ isTTY: true });
    const show = progressPrinter(terminal);
    show(stepEvent(1));
    show(stepEvent(2));
    show(stepEvent(100));
    show({ type: "end", step: 100, model: "run/model" });
    const text = terminal.written.err();
    expect(text).not.toContain("step 2/100");
    expect(text).toContain("step 100/100");
    expect(text.split("\n")).toHaveLength(2);
    expect(text.endsWith("\r\u001b[2Kdone after 100 steps: run/model\n")).toBe(true);
  });

  it("keeps the line that is rewritten within a narrow terminal", () => {
    const terminal = testTerminal({ isTTY: true, columns: 20 });
    progressPrinter(terminal)(stepEvent(1));
    expect(terminal.written.err()).toBe(`\r\u001b[2K${describeEvent(stepEvent(1)).slice(0, 19)}`);
  });

  it("writes plain lines elsewhere", () => {
    for (const options of [{}, { isTTY: true, environment: { TERM: "dumb" } }]) {
      const terminal = testTerminal(options);
      const show = progressPrinter(terminal);
      show(stepEvent(1));
      show(stepEvent(2));
      expect(terminal.written.err()).toBe(`${describeEvent(stepEvent(1))}\n`);
    }
  });
});
