import { mkdir, mkdtemp, readdir, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, it } from "vitest";
import { AbortedError, InputError } from "../errors.ts";
import { decodeImage } from "../files/decode-image.ts";
import type { DrawingProgress } from "../generate/drawing.ts";
import type { Picture } from "../generate/picture.ts";
import type { RgbImage } from "../image/pixels.ts";
import { PreviewFile } from "./preview-file.ts";
import { testTerminal } from "./test-terminal.ts";

let folder: string;
let path: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "nextstep-preview-"));
  path = join(folder, "p.png");
});
afterEach(() => rm(folder, { recursive: true, force: true }));

const plain = (value: number): RgbImage => ({ width: 4, height: 2, data: new Uint8Array(24).fill(value) });

function progressAt(rows: number, preview: () => Promise<RgbImage[]>): DrawingProgress {
  return {
    token: 4 * rows,
    of: 16,
    rows,
    preview,
    job: () => {
      throw new Error("not asked for");
    },
    tokensBehind: () => {
      throw new Error("not asked for");
    },
    tokens: () => ({ data: new Float32Array(), shape: [] }),
  };
}

const shown = async (): Promise<RgbImage> => decodeImage(await readFile(path), path);

it("looks when rows came, one at a time, for a tenth of the time", async () => {
  let now = 0;
  let looks = 0;
  const preview = new PreviewFile(path, testTerminal(), () => now);
  const look = async (): Promise<RgbImage[]> => {
    looks++;
    now += 10;
    return [plain(looks)];
  };
  const follow = async (rows: number): Promise<number> => {
    preview.follow(progressAt(rows, look));
    if (rows > 0) preview.follow(progressAt(rows + 1, look));
    await preview.leave();
    return looks;
  };
  expect(await follow(0)).toBe(0);
  expect(await follow(1)).toBe(1);
  expect((await shown()).data[0]).toBe(1);
  // It took 10, so the next may begin 90 later.
  now = 99;
  expect(await follow(2)).toBe(1);
  now = 100;
  expect(await follow(2)).toBe(2);
  expect((await shown()).data[0]).toBe(2);
  now = 1000;
  preview.follow(progressAt(2, look));
  await preview.leave();
  expect(looks).toBe(2);
  expect(await readdir(folder)).toEqual(["p.png"]);
});

it("holds the picture in the end, of several all of them", async () => {
  const pictures = [1, 2, 3].map((value) => ({
    pixels: plain(value),
    toPng: async () => Uint8Array.of(value),
  })) as unknown as Picture[];
  await new PreviewFile(path, testTerminal()).finish(pictures.slice(0, 1));
  expect([...(await readFile(path))]).toEqual([1]);
  await new PreviewFile(path, testTerminal()).finish(pictures);
  const { width, height } = await shown();
  expect([width, height]).toEqual([10, 6]);
});

it("says once what does not work, and nothing of a drawing that was stopped", async () => {
  await mkdir(path);
  const terminal = testTerminal();
  const preview = new PreviewFile(path, terminal);
  for (const rows of [1, 2]) {
    preview.follow(progressAt(rows, async () => [plain(0)]));
    await preview.leave();
  }
  expect(terminal.written.err()).toMatch(/^note: .*p\.png: cannot be written.*without a preview\n$/);
  const [quiet, other] = [testTerminal(), testTerminal()];
  for (const [where, error] of [
    [quiet, new AbortedError("stopped")],
    [other, new InputError("the decoder is gone")],
  ] as const) {
    const failing = new PreviewFile(join(folder, "q.png"), where);
    failing.follow(progressAt(1, () => Promise.reject(error)));
    await failing.leave();
  }
  expect(quiet.written.err()).toBe("");
  expect(other.written.err()).toBe("note: the decoder is gone; the drawing goes on without a preview\n");
});
