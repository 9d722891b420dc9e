/** The data commands as users run them, in processes of their own. */
import { execFile } from "node:child_process";
import { mkdir, mkdtemp, readdir, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import sharp from "sharp";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { TarFile } from "../files/tar-file.ts";

const COMMAND = fileURLToPath(new URL("./main.ts", import.meta.url));
const TSX = import.meta.resolve("tsx");

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "nextstep-data-"));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

interface Outcome {
  readonly code: number | string;
  readonly out: string;
  readonly err: string;
}

function data(...args: readonly string[]): Promise<Outcome> {
  const argv = ["--import", TSX, COMMAND, "data", ...args];
  return new Promise((resolve) => {
    execFile(process.execPath, argv, { cwd: folder }, (error, out, err) => {
      resolve({ code: error === null ? 0 : (error.code ?? -1), out, err });
    });
  });
}

describe("nextstep data", () => {
  it("builds, reports what it passes over, and finds nothing wrong with the result", async () => {
    await mkdir(join(folder, "pictures"));
    const grey = sharp({ create: { width: 8, height: 8, channels: 3, background: "#777" } }).png();
    for (const name of ["a", "b"])
      await writeFile(join(folder, "pictures", `${name}.png`), await grey.toBuffer());
    await writeFile(join(folder, "pictures", "a.txt"), "grey");
    await writeFile(join(folder, "pictures", "evil\x1b[2K.bmp"), "BM");
    const built = await data("build", "pictures", "out");
    expect(built.code).toBe(0);
    expect(built.out).toMatch(
      /^1 sample in .*out\npassed over: 1 no caption, 1 picture format that is not read\n$/,
    );
    expect(built.err).toContain("passed over b.png: no caption\n");
    expect(built.err).toContain("passed over evil?[2K.bmp: picture format that is not read");
    const checked = await data("check", "out");
    expect(checked).toEqual({ code: 0, out: "1 sample with 1 picture in 1 tar, 0 faults\n", err: "" });
    const again = await data("build", "pictures", "out");
    expect(again).toMatchObject({ code: 1, out: "", err: expect.stringMatching(/not empty.*\n$/) });
    expect((await readdir(folder)).sort()).toEqual(["out", "pictures"]);
  });

  it("lists faults and exits with 1", async () => {
    const tar = await TarFile.create(join(folder, "bad.tar"));
    await tar.add("x.png", "no picture");
    await tar.add("x.txt", "caption");
    await tar.close();
    const text = await data("check", "bad.tar");
    expect(text.code).toBe(1);
    expect(text.out).toMatch(
      /^bad\.tar: x: x\.png: cannot be decoded: .*\n1 sample with 0 pictures in 1 tar, 1 fault\n$/,
    );
    expect(text.err.trim().split("\n")).toHaveLength(1);
    const json = await data("check", "bad.tar", "--json");
    const lines = json.out
      .trim()
      .split("\n")
      .map((line): unknown => JSON.parse(line));
    expect(lines).toEqual([
      { type: "fault", tar: "bad.tar", key: "x", reason: expect.stringContaining("cannot be decoded") },
      expect.objectContaining({ type: "result", samples: 1, pictures: 0, faults: 1 }),
    ]);
  });

  it("refuses types and shares that are none", async () => {
    const [type, share] = await Promise.all([
      data("build", "pictures", "other", "--type", "video"),
      data("build", "pictures", "other", "--held-out", "2"),
    ]);
    expect(type).toMatchObject({
      code: 2,
      err: expect.stringContaining("image_text_pair, image_editing, nlp"),
    });
    expect(share).toMatchObject({ code: 2, err: expect.stringContaining("above 0 to below 1") });
  });
});
