/** @file Copies of the settings: one for each change, none of steps that are taken again. */
import { mkdtemp, readdir, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, it } from "vitest";
import { copyConfig } from "./config-copies.ts";

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "configs-"));
});
afterEach(() => rm(folder, { recursive: true }));

it("keeps what a run ran with, from which step on", async () => {
  const configs = join(folder, "configs");
  await copyConfig(configs, 0, { steps: 10 });
  await copyConfig(configs, 4, { steps: 10 });
  expect(await readdir(configs)).toEqual(["from-step-0000000.json"]);
  await copyConfig(configs, 8, { steps: 20 });
  await copyConfig(configs, 9, { steps: 10 });
  expect((await readdir(configs)).sort()).toEqual([0, 8, 9].map((step) => `from-step-000000${step}.json`));
  // Checkpoints 8 and 9 were lost: the run goes on from 4 and was never told of 20 steps.
  await copyConfig(configs, 4, { steps: 30 });
  expect((await readdir(configs)).sort()).toEqual([0, 4].map((step) => `from-step-000000${step}.json`));
  expect(JSON.parse(await readFile(join(configs, "from-step-0000004.json"), "utf8"))).toEqual({ steps: 30 });
});
