import { mkdir, mkdtemp, readdir, readlink, rm, symlink } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, it } from "vitest";
import type { DrawingJob } from "../generate/drawing-job.ts";
import { PLAIN_SETTINGS } from "../generate/settings.ts";
import { JobFile, readJobFile } from "./job-file.ts";

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "nextstep-job-"));
});
afterEach(() => rm(folder, { recursive: true, force: true }));

function jobOf(cells: number): DrawingJob {
  const size = { width: 256, height: 256 };
  const recipe = {
    version: 2,
    model: "m",
    prompt: "rain",
    seed: 7,
    ...size,
    settings: PLAIN_SETTINGS,
  } as const;
  const pictures = [{ recipe, notes: [], tokens: new Float32Array(cells * 4) }];
  return { grid: [16, 16], tokenWidth: 4, images: [], pictures };
}

it("goes on with the file that a link leads to, and takes that one away", async () => {
  const [path, other] = [join(folder, "rain.job"), join(folder, "links", "last.job")];
  await (await JobFile.replace(path, { job: jobOf(1), own: 1 }))[Symbol.asyncDispose]();
  await mkdir(join(folder, "links"));
  await symlink("../rain.job", other);

  const file = await JobFile.replace(other, { job: jobOf(2), own: 1 });
  expect(await readlink(other)).toBe("../rain.job");
  expect((await readJobFile(path)).job.pictures[0]?.tokens).toHaveLength(8);
  await file.remove();
  expect((await readdir(folder)).sort()).toEqual(["links"]);
});
