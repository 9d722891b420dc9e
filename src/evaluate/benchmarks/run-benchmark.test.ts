import { mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, it } from "vitest";
import { AbortedError, ConfigError, DataFormatError, InputError } from "../../errors.ts";
import type { DrawOptions } from "../../generate/draw-options.ts";
import { type BenchmarkItem, grid, NOTHING_BESIDE, single } from "./benchmark.ts";
import { BENCHMARKS } from "./benchmarks.ts";
import { type BenchmarkRun, runBenchmark } from "./run-benchmark.ts";

let folder: string;
let out: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "nextstep-run-"));
  out = join(folder, "out");
});
afterEach(() => rm(folder, { recursive: true, force: true }));

const ITEMS: readonly BenchmarkItem[] = [
  { ...NOTHING_BESIDE, where: "1", prompt: "one", files: [single("a/0.png", 0), single("a/1.png", 1)] },
  { ...NOTHING_BESIDE, where: "2", prompt: "two", files: [single("b/0.png", 0), single("b/1.png", 1)] },
];

interface Asked {
  readonly prompt: string;
  readonly seed: number;
  readonly count: number;
}

/** Draws black, and keeps what it was asked for. */
function recorder(onDraw: (asked: readonly Asked[]) => void = () => {}) {
  const asked: Asked[] = [];
  return {
    asked,
    draw: async (prompt: string, { seed = 0, count = 1 }: DrawOptions) => {
      asked.push({ prompt, seed, count });
      onDraw(asked);
      const pixels = { width: 16, height: 16, data: new Uint8Array(768).fill(seed) };
      return Array.from({ length: count }, () => ({ pixels }));
    },
  };
}

function runOf(change: Partial<BenchmarkRun> = {}): BenchmarkRun {
  const base = { items: ITEMS, out, identity: { seed: 10 }, count: 2, seed: 10, options: {}, atOnce: 2 };
  return { ...base, signal: new AbortController().signal, onProgress: () => {}, ...change };
}

it("gives every picture a seed of its own, and draws again what is missing or damaged alone", async () => {
  const first = recorder();
  const progress: number[] = [];
  expect(await runBenchmark(first, runOf({ onProgress: (done) => progress.push(done) }))).toEqual({
    pictures: 4,
    drawn: 4,
  });
  expect(first.asked).toEqual([
    { prompt: "one", seed: 10, count: 2 },
    { prompt: "two", seed: 12, count: 2 },
  ]);
  expect(progress).toEqual([0, 2, 4]);
  const whole = await readFile(join(out, "a/1.png"));
  await writeFile(join(out, "a/1.png"), whole.subarray(0, whole.length / 2));
  await rm(join(out, "b/0.png"));
  const second = recorder();
  expect(await runBenchmark(second, runOf())).toEqual({ pictures: 4, drawn: 2 });
  expect(second.asked).toEqual([
    { prompt: "one", seed: 11, count: 1 },
    { prompt: "two", seed: 12, count: 1 },
  ]);
  const third = recorder();
  expect(await runBenchmark(third, runOf())).toEqual({ pictures: 4, drawn: 0 });
  expect(third.asked).toEqual([]);
});

it("leaves nothing half-written when it is stopped, and goes on from there", async () => {
  const stop = new AbortController();
  const drawer = recorder((asked) => {
    if (asked.length === 2) stop.abort(new AbortedError("stopped"));
  });
  await expect(
    runBenchmark(
      drawer,
      runOf({ signal: stop.signal, items: [...ITEMS, { ...ITEMS[0]!, files: [grid("c.png", 1)] }] }),
    ),
  ).rejects.toThrow(AbortedError);
  const files = (await readdir(out, { recursive: true })).filter((name) => name.endsWith(".png")).sort();
  expect(files).not.toContain("c.png");
  expect(files.filter((name) => name.startsWith("a/"))).toEqual(["a/0.png", "a/1.png"]);
});

it("refuses a folder of another run", async () => {
  await runBenchmark(recorder(), runOf());
  await expect(runBenchmark(recorder(), runOf({ identity: { seed: 11 } }))).rejects.toThrow(ConfigError);
});

it("ends with the first failure", async () => {
  const failing = {
    draw: async (): Promise<never> => {
      throw new InputError("no room", { where: "prompt" });
    },
  };
  await expect(runBenchmark(failing, runOf({ atOnce: 8 }))).rejects.toThrow(/no room/);
});

it("refuses prompt files that are not as published, by file and place", async () => {
  const cases: readonly [string, string, string, RegExp][] = [
    ["geneval", "m.jsonl", '{"tag": "x"}', /m\.jsonl line 1: .*"prompt"/],
    ["geneval", "m.jsonl", "", /no prompts/],
    ["geneval", "m.jsonl", "[1]", /line 1/],
    ["dpg", "a.b.txt", "a cat", /dot/],
    ["dpg", "a.txt", " \n", /empty/],
    ["genai", "g.json", '{"../../x": {"prompt": "a cat"}}', /cannot name a file/],
    ["genai", "g.json", "{", /g\.json: is not JSON/],
    ["genai", "g.json", '{"1": {"prompt": 3}}', /g\.json: 1/],
    ["wise", "w.json", '{"Prompt": "a"}', /list/],
    ["wise", "w.json", '[{"Prompt": "a", "prompt_id": "../1"}]', /prompt 1/],
    ["wise", "w.json", '[{"Prompt": "a", "prompt_id": 1}, {"Prompt": "b", "prompt_id": 1}]', /same file/],
    ["oneig", "o.csv", "category,id,prompt_en\nOther,000,a cat\n", /"Other"/],
    ["oneig", "o.csv", "category,id,prompt_en\nPortrait,../0,a cat\n", /three digits/],
    ["gedit", "g.jsonl", '{"key": "a", "task_type": "x", "instruction_language": "en"}', /task_type/],
    [
      "gedit",
      "g.jsonl",
      '{"key": "a", "task_type": "ps_human", "instruction_language": "en", "instruction": "a", "file_name": "../a.png"}',
      /outside/,
    ],
    ["imgedit", "i.json", '{"1": {"id": "/etc/passwd", "prompt": "a", "edit_type": "add"}}', /outside/],
    ["imgedit", "i.json", '{"1": {"id": "a.jpg", "prompt": "a"}}', /edit_type/],
  ];
  for (const [id, name, text, message] of cases) {
    const path = join(folder, name);
    await writeFile(path, text);
    const benchmark = BENCHMARKS.find((own) => own.id === id)!;
    const reading = benchmark.items([path], { count: 1, name: "m", images: folder });
    await expect(reading, `${id}: ${text}`).rejects.toThrow(message);
    await expect(reading).rejects.toThrow(DataFormatError);
  }
});
