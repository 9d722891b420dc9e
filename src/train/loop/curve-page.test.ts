/** @file Curves from a log, and the page that shows them. */
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { curvePage } from "./curve-page.ts";
import { type Curve, readCurves } from "./curve-points.ts";

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "curves-"));
});
afterEach(() => rm(folder, { recursive: true }));

describe("readCurves", () => {
  it("keeps what has figures, in order, past torn lines", async () => {
    const lines = [
      { type: "note", step: 0, text: "hello" },
      { type: "step", step: 1, loss: 3, rate: 0, metrics: { psnr: null, lm_loss: 2 } },
      { type: "step", step: 2, loss: 2, rate: 0.1, metrics: { psnr: 20, lm_loss: 1 } },
      { type: "validation", step: 2, metrics: { lm_loss: 1.5, "ema/lm_loss": 1.7 } },
    ].map((event) => JSON.stringify(event));
    const path = join(folder, "log.jsonl");
    await writeFile(path, `${lines.join("\n")}\n{"type":"step","st`);
    const curves = await readCurves(path);
    expect(curves.map(({ figure, line }) => `${figure}, ${line}`)).toEqual([
      "loss, training",
      "lm_loss, training",
      "psnr, training",
      "lm_loss, held out",
      "lm_loss, held out, averaged weights",
      "rate, training",
    ]);
    expect(curves[0]!.points).toEqual([
      { step: 1, value: 3 },
      { step: 2, value: 2 },
    ]);
    expect(curves[2]!.points).toEqual([{ step: 2, value: 20 }]);
  });
});

const curve = (values: readonly number[], line: Curve["line"] = "training"): Curve => ({
  figure: "loss",
  line,
  points: values.map((value, index) => ({ step: index + 1, value })),
});
/** Points of the lines of a page. */
const pathsOf = (page: string): number[][][] =>
  [...page.matchAll(/class="line" d="M([^"]*)"/g)].map(([, path]) =>
    path!.split("L").map((point) => point.split(",").map(Number)),
  );

describe("curvePage", () => {
  it("draws all figures within the picture, a falling curve falling", () => {
    const page = curvePage("a run & <more>", [curve([4, 3, 2, 1]), curve([2, 2, 1, 1.5], "held out")]);
    const [training, heldOut] = pathsOf(page);
    const heights = training!.map(([, y]) => y!);
    expect(heights).toEqual([...heights].sort((a, b) => a - b));
    expect([heights[0], heights[3]]).toEqual([12, 240 - 28]);
    // Equal values of two curves stand at one height.
    expect(heldOut![2]![1]).toBe(heights[3]);
    for (const [x, y] of [...training!, ...heldOut!]) {
      expect(x! >= 64 && x! <= 612 && y! >= 12 && y! <= 212).toBe(true);
    }
    expect(training!.at(-1)![0]).toBe(612);
    expect(page).toContain("a run &#38; &#60;more&#62;");
    expect(page).not.toMatch(/<script|https?:/);
  });

  it("draws what spreads far by its logarithm", () => {
    const [[first, second, third]] = pathsOf(curvePage("x", [curve([100, 10, 1])])) as [number[][]];
    expect(second![1]! - first![1]!).toBeCloseTo(third![1]! - second![1]!, 0);
  });

  it("gathers many steps, with their spread", () => {
    const page = curvePage("x", [curve(Array.from({ length: 10_000 }, (_, i) => 5 + (i % 2)))]);
    const [line] = pathsOf(page);
    expect(line!.length).toBeLessThanOrEqual(300);
    // The mean of each stretch stands in the middle between least and most.
    expect(new Set(line!.map(([, y]) => y))).toEqual(new Set([112]));
    expect(page).toContain('class="band"');
  });

  it("draws a single step and values that are all alike", () => {
    expect(curvePage("x", [curve([0])])).toContain("<circle");
    const [line] = pathsOf(curvePage("x", [curve([0.1, 0.1])]));
    expect(line!.flat().every(Number.isFinite)).toBe(true);
  });
});
