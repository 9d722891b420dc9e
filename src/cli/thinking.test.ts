/** @file `nextstep PROMPT --think`, as it is typed. */
import { execFile } from "node:child_process";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { afterAll, beforeAll, expect, it } from "vitest";
import { writeThinkingModel } from "../../test/support/thinking-model.ts";
import { runAgain, runDraw } from "./draw.ts";
import type { DrawCommandOptions } from "./draw-options.ts";
import { testTerminal } from "./test-terminal.ts";

const COMMAND = fileURLToPath(new URL("./main.ts", import.meta.url));
const TSX = import.meta.resolve("tsx");
const [THINK, THOUGHT] = ["<|begin_of_thinking|>", "<|end_of_thinking|>"];
const [REFINE, REFINED] = ["<|begin_of_prompt_refinement|>", "<|end_of_prompt_refinement|>"];
const TEXT = `${THINK}mu${THOUGHT}${REFINE}d!${REFINED}`;

let folder: string;
let options: DrawCommandOptions;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "nextstep-think-"));
  const model = join(folder, "thinker");
  await writeThinkingModel(model, [THINK, "m", "u", THOUGHT, REFINE, "d", "!", REFINED, "<|image_area|>"]);
  options = {
    ...{ model, threads: 1, seed: 3, size: { width: 32, height: 32 }, steps: 2, preview: false, think: true },
    out: { kind: "folder", path: folder },
  };
});
afterAll(() => rm(folder, { recursive: true, force: true }));

it("shows the thought on a terminal, keeps it in JSON and picture, and does not think anew for that", async () => {
  const watched = testTerminal({ isTTY: true, environment: { TERM: "xterm" } });
  const json = testTerminal();
  await runDraw(["rain"], options, watched, () => {});
  await runDraw(["rain"], { ...options, json: true }, json, () => {});
  expect(watched.written.err()).toContain("thinking: mu\nprompt in its own words: d!\n");
  expect(json.written.err()).toBe("");
  const [drawn] = JSON.parse(json.written.out()).pictures;
  expect(drawn).toMatchObject({ prompt: "rain", thought: { text: TEXT, finishReason: "stop" } });
  const again = testTerminal({ isTTY: true, environment: { TERM: "xterm" } });
  const out = join(folder, "again.png");
  await runAgain(drawn.file, { ...options, out: { kind: "file", path: out } }, again);
  expect(again.written.err()).not.toContain("thinking:");
  expect((await readFile(out)).equals(await readFile(drawn.file))).toBe(true);
});

it("ends in one line where it cannot think, as it is typed", async () => {
  const run = (...args: readonly string[]) =>
    promisify(execFile)(process.execPath, ["--import", TSX, COMMAND, ...args]).then(
      () => ({ code: 0, stderr: "" }),
      (error: { code: number; stderr: string }) => error,
    );
  const [usage, range] = await Promise.all([
    run("rain", "--think-tokens", "9"),
    run("rain", "--think", "--think-tokens", "1"),
  ]);
  expect(usage).toMatchObject({ code: 2, stderr: expect.stringContaining("does nothing without --think") });
  expect(range).toMatchObject({ code: 2, stderr: expect.stringContaining("'--think-tokens <n>'") });
}, 60_000);
