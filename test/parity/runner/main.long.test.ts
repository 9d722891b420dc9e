import { spawn } from "node:child_process";
import { cp, mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterEach, beforeEach, expect, it } from "vitest";

const root = fileURLToPath(new URL("../../..", import.meta.url));
let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "nextstep-parity-"));
  await mkdir(join(folder, "cases"));
  await cp(join(root, "test/parity/cases/buckets.json"), join(folder, "cases", "sizes.json"));
});
afterEach(() => rm(folder, { recursive: true, force: true }));

function run(...args: string[]): Promise<{ code: number | null; text: string }> {
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, ["--import", "tsx", "test/parity/runner/main.ts", ...args], {
      cwd: root,
    });
    let text = "";
    child.stdout.on("data", (chunk) => {
      text += String(chunk);
    });
    child.stderr.on("data", (chunk) => {
      text += String(chunk);
    });
    child.on("error", reject);
    child.on("close", (code) => resolve({ code, text }));
  });
}

it("prints a line a case and exits 0 when all are ok", async () => {
  expect(await run(folder)).toEqual({ code: 0, text: "ok      sizes  52 equal\n1 of 1 cases ok\n" });
});

it("exits 1 when one value is wrong, and says which", async () => {
  const path = join(folder, "cases", "sizes.json");
  const text = await readFile(path, "utf8");
  await writeFile(path, text.replace('"resized_to": [224, 299]', '"resized_to": [224, 298]'));
  const { code, text: printed } = await run(folder, "--json");
  expect(code).toBe(1);
  expect(JSON.parse(printed)).toMatchObject({ name: "sizes", kind: "buckets", ok: false });
});

it("exits 1 for a folder without cases and 2 without a folder", async () => {
  expect(await run(join(folder, "cases"))).toMatchObject({ code: 1 });
  expect(await run()).toMatchObject({ code: 2 });
});

it("rounds the models to blocks with --bits, and refuses other bits", async () => {
  const [whole, without, other] = await Promise.all([
    run("test/parity", "--bits", "8", "--json"),
    run(folder, "--bits", "8"),
    run(folder, "--bits", "5"),
  ]);
  expect(whole.code).toBe(0);
  const lines = whole.text
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line) as { model: string; output: string; ok: boolean; ofTypical: number });
  expect(new Set(lines.map(({ model }) => model))).toEqual(new Set(["train", "v1", "v1.1"]));
  expect(lines.every(({ ok }) => ok)).toBe(true);
  expect(lines.find(({ output }) => output === "logits")?.ofTypical).toBeGreaterThan(1e-3);
  expect(without).toMatchObject({ code: 1 });
  expect(other).toMatchObject({ code: 2 });
});
