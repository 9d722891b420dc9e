import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { nodePlatform } from "../node/platform.ts";
import { CounterRng } from "../tensor/counter-rng.ts";
import type { DrawOptions } from "./draw-options.ts";
import type { DrawingJob } from "./drawing-job.ts";
import { encodeJob, encodeTokens, parseJob } from "./job-format.ts";
import { Model } from "./model.ts";
import type { Picture } from "./picture.ts";
import { testModelPath } from "./test-models.ts";

const SIZE = { width: 64, height: 32 };
/** The third row of tokens is the first that starts before the one above has ended. */
const TALL = { width: 32, height: 64 };

function openModel(name = "v1.1"): Promise<Model> {
  return Model.open(nodePlatform, testModelPath(name), { threads: 1 });
}

let model: Model;
beforeAll(async () => {
  model = await openModel();
});
afterAll(() => model.close());

/** Jobs behind each step of a drawing, and what it came to. */
async function jobsOf(
  prompts: readonly string[],
  options: DrawOptions,
): Promise<{ readonly jobs: DrawingJob[]; readonly pictures: readonly Picture[] }> {
  const drawing = model.start(prompts, options);
  const jobs = [await drawing.job()];
  for await (const progress of drawing) jobs.push(progress.job());
  return { jobs, pictures: await drawing.pictures() };
}

/** Through its bytes, as a file holds it. */
function reread(job: DrawingJob): DrawingJob {
  return parseJob(encodeJob({ job }), "a.job").job;
}

const bits = (pictures: readonly Picture[]) =>
  pictures.map(({ tokens, pixels, recipe, notes }) => ({
    tokens,
    pixels,
    recipe: JSON.stringify(recipe),
    notes,
  }));

/** A picture with a little of everything. */
const photo = {
  width: 32,
  height: 32,
  data: Uint8Array.from({ length: 32 * 32 * 3 }, (_, i) => (i * 37) % 256),
};

const noise = {
  data: new CounterRng(5).fillNormal(new Float32Array(2 * 8 * 3 * 64)),
  shape: [2, 8, 3, 64],
};
const kept = {
  data: new CounterRng(6).fillNormal(new Float32Array(2 * 8 * 64)),
  shape: [2, 8, 64],
  mask: Uint8Array.from({ length: 16 }, (_, cell) => (cell < 3 || cell === 6 || cell === 12 ? 1 : 0)),
};

describe("a drawing resumed behind any of its tokens has the uninterrupted bits", () => {
  it.each<[string, readonly string[], DrawOptions, DrawOptions]>([
    ["one picture", ["rain"], {}, {}],
    ["pictures of several prompts", ["rain", "a red boat at sea"], { count: 2, cfg: 3 }, {}],
    ["an edit, without its image", ["make it blue"], { images: [photo], cfg: 3, cfgImg: 2 }, {}],
    ["an image in one prompt of two", ["<image> in blue", "rain"], { images: [photo], cfg: 3 }, {}],
    ["kept tokens, so that pictures differ in progress", ["rain", "a boat"], { keep: kept, cfg: 2 }, {}],
    ["less and less work a token", ["rain"], { cfg: 3, cfgUntil: 0.5, steps: 5, lastSteps: 1 }, {}],
    ["staggered rows", ["rain", "a boat"], { cfg: 3, cfgUntil: 0.7, rowLag: 1, count: 2, size: TALL }, {}],
    ["staggered rows, some tokens given", ["rain", "a boat"], { keep: kept, rowLag: 1, size: TALL }, {}],
    ["given noise", ["rain", "a boat"], { noise }, { noise }],
  ])(
    "%s",
    async (_, prompts, options, again) => {
      const settings: DrawOptions = { seed: 3, size: SIZE, steps: 2, sampler: "sde", ...options };
      const { jobs, pictures } = await jobsOf(prompts, settings);
      // One more than there are steps: of staggered rows, the last two are drawn beside those above.
      expect(jobs).toHaveLength(options.rowLag === undefined ? 9 : 7);
      for (const job of jobs) {
        const drawn = await model.resume(reread(job), again).pictures();
        expect(bits(drawn), `behind ${job.pictures[0]?.tokens.length} numbers`).toEqual(bits(pictures));
      }
    },
    60_000,
  );

  it("a second time, from the job of the first", async () => {
    const { jobs, pictures } = await jobsOf(["rain"], { seed: 3, size: SIZE, steps: 2 });
    const second = model.resume(jobs[4] as DrawingJob);
    const later: DrawingJob[] = [];
    for await (const progress of second) later.push(progress.job());
    expect(later[2]).toEqual(jobs[7]);
    expect(bits(await model.resume(later[2] as DrawingJob).pictures())).toEqual(bits(pictures));
  });

  it("where it was cancelled", async () => {
    const [whole] = await model.draw("rain", { seed: 3, size: SIZE, steps: 2 });
    const drawing = model.start("rain", { seed: 3, size: SIZE, steps: 2 });
    for await (const { token } of drawing) if (token === 5) break;
    const job = await drawing.job();
    expect(job.pictures[0]?.tokens.length).toBeGreaterThanOrEqual(5 * 64);
    expect((await model.resume(job).pictures())[0]?.pixels).toEqual(whole?.pixels);
  });
});

describe("a job is refused by name", () => {
  it("of another model, without its noise, and where it does not fit itself", async () => {
    await using other = await openModel("v1");
    const { jobs } = await jobsOf(["rain", "a boat"], { size: SIZE, steps: 2, sampler: "sde", noise });
    const job = jobs[3] as DrawingJob;
    const failure = (run: Promise<unknown>): Promise<unknown> => run.catch((error: unknown) => error);
    expect(await failure(other.resume(job, { noise }).pictures())).toMatchObject({
      code: "input",
      message: expect.stringContaining('of the model "v1.1"'),
    });
    expect(await failure(model.resume(job).pictures())).toMatchObject({
      message: expect.stringContaining("noise"),
    });
    const wrong = { ...noise, data: noise.data.map((value) => -value) };
    expect(await failure(model.resume(job, { noise: wrong }).pictures())).toMatchObject({
      message: expect.stringContaining("not the one"),
    });
    const changed = { ...job, grid: [4, 3] as const };
    expect(await failure(model.resume(changed, { noise }).pictures())).toMatchObject({ code: "data-format" });
  });
});

describe("bytes of a job", () => {
  const bytesOf = async () => {
    const { jobs } = await jobsOf(["rain", "a boat"], { seed: 3, size: SIZE, steps: 2 });
    const [start, ...later] = jobs as [DrawingJob, ...DrawingJob[]];
    const head = encodeJob({ job: start, own: { out: "x" } });
    const records = later.map(({ tokenWidth, pictures }, from) =>
      encodeTokens({
        tokenWidth,
        pictures: pictures.map(({ tokens }) => ({ from, tokens: tokens.subarray(from * tokenWidth) })),
      }),
    );
    return { head, records, jobs };
  };

  it("grow by a record a token, and end where they are cut off or damaged", async () => {
    const { head, records, jobs } = await bytesOf();
    const all = Buffer.concat([head, ...records]);
    expect(parseJob(all, "a.job")).toEqual({ job: jobs.at(-1), own: { out: "x" }, dropped: 0 });
    for (let length = head.length; length <= all.length; length += 13) {
      const { job, dropped } = parseJob(all.subarray(0, length), "a.job");
      const held = job.pictures.reduce((sum, { tokens }) => sum + tokens.length / 64, 0);
      const record = (records[0]?.length ?? 0) / 2;
      expect(held).toBe(Math.floor((length - head.length) / record));
      expect(dropped).toBe((length - head.length) % record);
    }
    const changed = Buffer.from(all);
    const at = head.length + (records[0]?.length ?? 0) + 40;
    changed[at] = (changed[at] ?? 0) ^ 1;
    const { job, dropped } = parseJob(changed, "a.job");
    expect(job).toEqual(jobs[1]);
    expect(dropped).toBe(all.length - head.length - (records[0]?.length ?? 0));
    // What a disk leaves behind that lost its power: the length without the content.
    expect(parseJob(Buffer.concat([head, new Uint8Array(4096)]), "a.job").dropped).toBe(4096);
  });

  it("are refused when their beginning is not whole, or they are none", async () => {
    const { head } = await bytesOf();
    for (let length = 0; length < head.length; length += 7) {
      expect(() => parseJob(head.subarray(0, length), "a.job")).toThrow(/^a\.job: /);
    }
    const changed = Buffer.from(head);
    changed[60] = (changed[60] ?? 0) ^ 1;
    expect(() => parseJob(changed, "a.job")).toThrow("damaged");
    changed[7] = 2;
    expect(() => parseJob(changed, "a.job")).toThrow("another version");
    expect(() => parseJob(Buffer.from("\u0089PNG\r\n"), "a.job")).toThrow("not a drawing");
  });
});
