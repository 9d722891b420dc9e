import { mkdtemp, readdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, it } from "vitest";
import type { DrawingProgress } from "../generate/drawing.ts";
import type { DrawingJob } from "../generate/drawing-job.ts";
import { PLAIN_SETTINGS } from "../generate/settings.ts";
import { readJobFile } from "../node/job-file.ts";
import { JobKeeper } from "./job-keeper.ts";
import { testTerminal } from "./test-terminal.ts";

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "nextstep-keeper-"));
});
afterEach(() => rm(folder, { recursive: true, force: true }));

function jobAt(token: number): DrawingJob {
  const recipe = {
    version: 2,
    model: "m",
    prompt: "Rain!",
    seed: 7,
    width: 256,
    height: 256,
    settings: PLAIN_SETTINGS,
  } as const;
  const pictures = [{ recipe, notes: [], tokens: new Float32Array(token * 4).fill(token) }];
  return { grid: [16, 16], tokenWidth: 4, images: [], pictures };
}

function progressAt(token: number): DrawingProgress {
  const none = async (): Promise<never[]> => [];
  return {
    token,
    of: 256,
    rows: Math.floor(token / 16),
    job: () => jobAt(token),
    tokensBehind: (written) => {
      const { tokenWidth, pictures } = jobAt(token);
      const behind = pictures.map(({ tokens }, index) => {
        const from = written[index] ?? 0;
        return { from, tokens: tokens.subarray(from * tokenWidth) };
      });
      return { tokenWidth, pictures: behind };
    },
    preview: none,
    tokens: () => ({ data: new Float32Array(), shape: [] }),
  };
}

/** Locks are hidden. */
const visible = async () => (await readdir(folder)).filter((name) => !name.startsWith("."));

/** Follows tokens that come every `milliseconds`. */
async function follow(milliseconds: number, tokens: number) {
  let time = 0;
  const terminal = testTerminal();
  const keeper = new JobKeeper({ out: { kind: "folder", path: folder }, own: 1, now: () => time }, terminal);
  await keeper.start(async () => jobAt(0));
  for (let token = 1; token <= tokens; token++) {
    time += milliseconds;
    await keeper.follow(progressAt(token));
  }
  return { keeper, terminal };
}

it("keeps a drawing beside its pictures from the second token on, if it will take a minute", async () => {
  const { keeper, terminal } = await follow(400, 2);
  expect(await visible()).toEqual(["rain-7.job"]);
  await keeper.follow(progressAt(3));
  const { job, dropped } = await readJobFile(join(folder, "rain-7.job"));
  expect([job.pictures[0]?.tokens.length, dropped]).toEqual([12, 0]);
  await keeper.leave();
  expect(terminal.written.err()).toBe(`go on with: nextstep resume ${join(folder, "rain-7.job")}\n`);
});

it("takes the file away in the end, and another name where one is taken", async () => {
  const [first, second] = [await follow(400, 5), await follow(400, 5)];
  expect(await visible()).toEqual(["rain-7-2.job", "rain-7.job"]);
  await second.keeper.finish();
  await first.keeper.finish();
  expect(await readdir(folder)).toEqual([]);
});

it("does not keep a drawing that is sooner begun anew", async () => {
  const { keeper, terminal } = await follow(100, 20);
  await keeper.leave();
  expect([await readdir(folder), terminal.written.err()]).toEqual([[], ""]);
});
