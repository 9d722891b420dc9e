import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, it } from "vitest";
import { InputError } from "../errors.ts";
import { decodeImage } from "../files/decode-image.ts";
import { nodeZlib } from "../files/zlib.ts";
import { testModelPath } from "../generate/test-models.ts";
import { encodePng } from "../image/encode-png.ts";
import { runScore } from "./score.ts";
import { testTerminal } from "./test-terminal.ts";

const OPTIONS = { model: testModelPath("v1.1"), threads: 1, times: 2 };

let folder: string;
let pictures: string[];
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "nextstep-score-"));
  pictures = ["one.png", "two.png"].map((name) => join(folder, name));
  for (const [index, path] of pictures.entries()) {
    const data = new Uint8Array(32 * 32 * 3).fill(200 * index);
    await writeFile(path, await encodePng({ width: 32, height: 32, data }, nodeZlib));
  }
});
afterAll(() => rm(folder, { recursive: true, force: true }));

it("prints a line for each picture, or JSON with the losses of all tokens", async () => {
  const [text, json] = [testTerminal(), testTerminal()];
  await runScore("a cat", pictures, OPTIONS, text);
  await runScore("a cat", pictures, { ...OPTIONS, json: true }, json);
  const lines = text.written.out().trim().split("\n");
  const scores = json.written
    .out()
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line) as Record<string, unknown>);
  expect(scores.map(({ file }) => file)).toEqual(pictures);
  scores.forEach(({ loss, tokenLosses, grid }, index) => {
    expect(lines[index]).toContain(`loss ${Number(loss).toPrecision(5)}`);
    const [rows, columns] = grid as [number, number];
    expect(tokenLosses).toHaveLength(rows * columns);
  });
});

it("writes a map of the losses in the size that was scored", async () => {
  const heatMap = join(folder, "map.png");
  await runScore("a cat", pictures.slice(0, 1), { ...OPTIONS, heatMap }, testTerminal());
  const { width, height } = await decodeImage(await readFile(heatMap), heatMap);
  expect(width % 16).toBe(0);
  expect(height % 16).toBe(0);
});

it("names a picture that is not there before anything is loaded", async () => {
  const missing = join(folder, "none.png");
  const run = runScore("a cat", [missing], { ...OPTIONS, model: "/nowhere" }, testTerminal());
  await expect(run).rejects.toThrow(InputError);
  await expect(run).rejects.toThrow(/none\.png/);
});
