/** @file The AUTOMATIC1111 family over rooms in memory. */
import { afterEach, describe, expect, it } from "vitest";
import { parseParameters } from "../../formats/a1111.ts";
import { startTestServer, type TestServer, type TestServerOptions } from "./test-server.ts";
import { squarePng } from "./test-worker.ts";

const servers: TestServer[] = [];

async function start(options?: TestServerOptions): Promise<TestServer> {
  const server = await startTestServer(options);
  servers.push(server);
  return server;
}

afterEach(async () => {
  await Promise.all(servers.splice(0).map((server) => server[Symbol.asyncDispose]()));
});

interface SdImages {
  readonly images: string[];
  readonly parameters: Record<string, unknown>;
  readonly info: string;
}

describe("the A1111 family", () => {
  it("tells truly what was drawn with", async () => {
    const server = await start();
    const response = await server.post("/sdapi/v1/txt2img", {
      prompt: "a zeppelin",
      negative_prompt: "blurry",
      steps: 9,
      cfg_scale: 3,
      sampler_name: "Euler a",
      batch_size: 2,
      width: 128,
      height: 128,
      seed: 11,
    });
    const { images, parameters, info } = (await response.json()) as SdImages;
    expect(images).toHaveLength(2);
    expect(parameters).toMatchObject({ prompt: "a zeppelin", seed: 11, width: 128 });
    const told = JSON.parse(info) as Record<string, unknown>;
    expect(told).toMatchObject({
      all_seeds: [11, 12],
      steps: 9,
      cfg_scale: 3,
      sampler_name: "sde",
      negative_prompt: "blurry",
      extra_generation_params: { "Native size": "64x64" },
      notes: ["not known: zeppelin", "not known: zeppelin"],
    });
    const { settings } = parseParameters((told.infotexts as string[])[1] ?? "");
    expect(Object.fromEntries(settings)).toMatchObject({ Steps: "9", Seed: "12", Sampler: "sde" });
  });

  it("draws anew what is white in a mask, or black", async () => {
    const server = await start();
    const picture = Buffer.from(await squarePng({ width: 64, height: 64 })).toString("base64");
    const request = { prompt: "x", init_images: [`data:image/png;base64,${picture}`], mask: picture };
    const response = await server.post("/sdapi/v1/img2img", { ...request, denoising_strength: 0.5 });
    const { info } = (await response.json()) as SdImages;
    expect(JSON.parse(info)).toMatchObject({ notes: [expect.stringContaining("denoising_strength")] });
    await server.post("/sdapi/v1/img2img", { ...request, inpainting_mask_invert: 1 });
    expect(server.queue.jobs.map(({ record }) => record.request.ground)).toMatchObject([
      { kind: "mask", opens: "white" },
      { kind: "mask", opens: "black" },
    ]);
  });

  it("shows progress, and is interrupted", async () => {
    const server = await start();
    const release = server.worker?.holdFrom(3);
    const idle = (await (await server.get("/sdapi/v1/progress")).json()) as Record<string, unknown>;
    expect(idle).toMatchObject({ progress: 0, current_image: null, state: { job_count: 0 } });
    const drawing = server.post("/sdapi/v1/txt2img", { prompt: "a ship" });
    await expect.poll(() => server.queue.jobs[0]?.record.preview?.number).toBe(1);
    const progress = (await (await server.get("/sdapi/v1/progress")).json()) as Record<string, unknown>;
    expect(progress).toMatchObject({ current_image: expect.any(String), state: { job_count: 1 } });
    expect(progress.progress).toBeGreaterThan(0);
    await server.post("/sdapi/v1/interrupt", {});
    release?.();
    expect((await drawing).status).toBe(409);
    expect(server.queue.jobs[0]?.record.status).toBe("cancelled");
  });

  it("tells of what another server on the same queue took, and ends it; of no other door's, and no other key's", async () => {
    const keys = "ann:key-of-ann-0123456789\nben:key-of-ben-0123456789";
    const taker = await start({ rowMs: null, keys });
    const other = await start({ rowMs: null, keys, beside: taker });
    const as = (name: string) => ({ authorization: `Bearer key-of-${name}-0123456789` });
    const drawing = taker.post("/sdapi/v1/txt2img", { prompt: "a ship" }, as("ann"));
    const bens = taker.post("/sdapi/v1/txt2img", { prompt: "a ship" }, as("ben"));
    const job = await taker.post("/v1/jobs", { prompt: "an apple" }, as("ann"));
    expect(job.status).toBe(202);
    await expect.poll(() => taker.queue.jobs.length).toBe(3);
    const progress = await (await other.get("/sdapi/v1/progress", as("ann"))).json();
    expect(progress).toMatchObject({ state: { job_count: 1, job: "generation 64x64" } });
    await other.post("/sdapi/v1/interrupt", {}, as("ann"));
    expect((await drawing).status).toBe(409);
    await other.post("/sdapi/v1/interrupt", {}, as("ben"));
    expect((await bens).status).toBe(409);
    expect(taker.queue.jobs.find(({ record }) => record.request.prompt === "an apple")?.record.status).toBe(
      "queued",
    );
  });

  it("refuses what it does not do, and only that", async () => {
    const server = await start();
    const send = (body: Record<string, unknown>): Promise<Response> =>
      server.post("/sdapi/v1/txt2img", { prompt: "x", ...body });
    for (const body of [
      { enable_hr: true },
      { restore_faces: true },
      { tiling: 1 },
      { styles: ["x"] },
      { alwayson_scripts: { controlnet: {} } },
      { subseed_strength: 0.5 },
      { stepps: 3 },
      { batch_size: 6, n_iter: 2 },
      { override_settings: { sd_hypernetwork: "x" } },
    ]) {
      expect((await send(body)).status, JSON.stringify(body)).toBe(400);
    }
    expect((await send({ sampler_name: "DDIM" })).status).toBe(404);
    expect((await send({ scheduler: "karras" })).status).toBe(404);
    expect((await send({ override_settings: { sd_model_checkpoint: "other" } })).status).toBe(404);
    expect(
      (await send({ enable_hr: false, styles: [], alwayson_scripts: {}, script_name: "None" })).status,
    ).toBe(200);
  });

  it("lists model, samplers, schedulers and options", async () => {
    const server = await start();
    const get = async (name: string): Promise<unknown> => (await server.get(`/sdapi/v1/${name}`)).json();
    expect(await get("sd-models")).toMatchObject([{ title: "square" }, { title: "gpt-image-1" }, {}, {}]);
    expect(await get("samplers")).toContainEqual({
      name: "ode",
      aliases: ["Euler", "k_euler", "euler"],
      options: {},
    });
    expect(await get("schedulers")).toMatchObject([{ name: "constant shift" }]);
    expect(await get("options")).toMatchObject({ sd_model_checkpoint: "square" });
    expect((await server.post("/sdapi/v1/options", { sd_model_checkpoint: "dall-e-3" })).status).toBe(200);
    expect((await server.post("/sdapi/v1/options", { sd_model_checkpoint: "other" })).status).toBe(404);
  });
});
