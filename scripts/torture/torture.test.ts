/** @file What the scenarios judge by; `npm run torture` runs them. */
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { badFailure } from "./command.ts";
import { folderDigest, leftBehind } from "./folder-digest.ts";
import { SCENARIOS } from "./scenarios.ts";

describe("torture", () => {
  it("knows an orderly failure from a crash", () => {
    const orderly = { code: 1, signal: null, out: "", err: "nextstep: a.tar: is damaged\n" };
    expect(badFailure(orderly, [1])).toBeUndefined();
    expect(badFailure(orderly, [0, 141])).toMatch(/code 1 in place of 0 or 141: nextstep: a.tar/);
    expect(badFailure({ ...orderly, err: "Error: x\n    at y (z.js:1:1)\n" }, [1])).toMatch(/stack/);
    expect(badFailure({ ...orderly, code: null, signal: "SIGSEGV" }, [1])).toMatch(/SIGSEGV/);
  });

  it("finds what was left unfinished, and any difference", async () => {
    const folder = await mkdtemp(join(tmpdir(), "torture-"));
    await mkdir(join(folder, "checkpoints", "checkpoint-2"), { recursive: true });
    await writeFile(join(folder, "checkpoints", "checkpoint-2", "state.json"), "{}");
    expect(await leftBehind(folder)).toEqual([]);
    const digest = await folderDigest(folder);
    await mkdir(join(folder, "checkpoints", "checkpoint-4.partial"));
    await mkdir(join(folder, ".data.partial-77"));
    for (const name of [".0123456789abcdef.partial", ".lock-1-2-abcd"])
      await writeFile(join(folder, name), "");
    expect(await leftBehind(folder)).toEqual([
      ".0123456789abcdef.partial",
      ".data.partial-77",
      ".lock-1-2-abcd",
      "checkpoints/checkpoint-4.partial",
    ]);
    expect(await folderDigest(folder)).not.toBe(digest);
    expect(await folderDigest(join(folder, "nowhere"))).toBe("");
    await rm(folder, { recursive: true });
  });

  it("makes trials in every scenario, however few are asked for", () => {
    expect(new Set(SCENARIOS.map(({ name }) => name)).size).toBe(SCENARIOS.length);
    for (const { name, trials } of SCENARIOS) expect(trials(1), name).toBeGreaterThan(0);
  });
});
