/** @file The tools' command lines, in processes of their own. */
import { execFile } from "node:child_process";
import { fileURLToPath } from "node:url";
import { expect, it } from "vitest";

const TSX = import.meta.resolve("tsx");

function run(tool: string, ...args: readonly string[]): Promise<{ code: number; out: string; err: string }> {
  const file = fileURLToPath(new URL(`../${tool}.ts`, import.meta.url));
  return new Promise((resolve) => {
    execFile(process.execPath, ["--import", TSX, file, ...args], (error, out, err) => {
      resolve({ code: typeof error?.code === "number" ? error.code : error === null ? 0 : -1, out, err });
    });
  });
}

it("print their help and do nothing", async () => {
  for (const tool of ["bench/main", "scripts/evaluate", "scripts/fuzz", "scripts/gallery"]) {
    const { code, out, err } = await run(tool, "--help");
    expect({ tool, code, err }).toEqual({ tool, code: 0, err: "" });
    expect(out).toMatch(/^Usage: npm run /);
  }
});

it("tell mistakes in one line, with exit code 2", async () => {
  for (const [tool, ...args] of [
    ["bench/main", "nothing"],
    ["bench/main", "head", "--runs", "many"],
    ["scripts/evaluate", "--data", "here", "--count", "-1"],
    ["scripts/fuzz", "--unknown"],
  ] as const) {
    const { code, out, err } = await run(tool, ...args);
    expect({ tool, code, out }).toEqual({ tool, code: 2, out: "" });
    expect(err.trim().split("\n")).toHaveLength(1);
  }
});

it("tell what cannot be opened in one line, with exit code 1", async () => {
  const { code, out, err } = await run("scripts/compare-settings", "--data", "none", "--features", "none");
  expect({ code, out }).toEqual({ code: 1, out: "" });
  expect(err).toBe("compare-settings: none: cannot be opened (there is no such file)\n");
});
