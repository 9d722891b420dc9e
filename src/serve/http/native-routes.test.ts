/** @file Native routes over rooms in memory: jobs, events, uploads, gallery, and what the server tells of itself. */
import { afterEach, describe, expect, it } from "vitest";
import type { EntryView } from "./gallery-view.ts";
import type { JobView } from "./job-view.ts";
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

async function json<Value>(response: Response | Promise<Response>): Promise<Value> {
  return (await (await response).json()) as Value;
}

/** All events of a stream that ends. */
async function events(response: Response): Promise<{ event: string; data: string }[]> {
  const blocks = (await response.text()).split("\n\n").filter((block) => block.includes("data:"));
  return blocks.map((block) => ({
    event: /^event: (.*)$/m.exec(block)?.[1] ?? "",
    data: [...block.matchAll(/^data: (.*)$/gm)].map(([, line]) => line).join("\n"),
  }));
}

async function drawn(server: TestServer, body: Record<string, unknown>): Promise<JobView> {
  const { id } = await json<JobView>(server.post("/v1/jobs", body));
  const all = await events(await server.get(`/v1/jobs/${id}/events`));
  return JSON.parse(all.at(-1)?.data ?? "null") as JobView;
}

function form(parts: Readonly<Record<string, string | Uint8Array>>): FormData {
  const data = new FormData();
  for (const [name, value] of Object.entries(parts)) {
    data.append(name, typeof value === "string" ? value : new Blob([new Uint8Array(value)]));
  }
  return data;
}

describe("jobs", () => {
  it("are accepted, followed by events and end with pictures of the gallery", async () => {
    const server = await start({ rowMs: 5 });
    const response = await server.post("/v1/jobs", { prompt: "a ship", n: 2, seed: 7, previews: "rows" });
    expect(response.status).toBe(202);
    const job = await json<JobView>(response);
    expect(response.headers.get("location")).toBe(job.poll_url);
    expect(job).toMatchObject({ object: "job", kind: "generation", pictures: [], error: null });
    const all = await events(await server.get(job.events_url));
    expect(new Set(all.map(({ event }) => event))).toEqual(new Set(["job"]));
    const views = all.map(({ data }) => JSON.parse(data) as JobView);
    const looked = views.find(({ preview }) => preview !== null);
    expect(looked?.progress).toMatchObject({ of: 16, of_rows: 4 });
    const last = views.at(-1) as JobView;
    expect(last).toMatchObject({ status: "finished", queue_position: null, usage: { output_tokens: 32 } });
    expect(last.pictures.map(({ seed }) => seed)).toEqual([7, 8]);
    const preview = await server.get(looked?.preview?.urls[1] ?? "");
    expect(preview.headers.get("content-type")).toBe("image/png");
    expect(preview.headers.get("cache-control")).toBe("no-store");
  });

  it("are listed newest first, in pages, by status", async () => {
    const server = await start({ rowMs: null });
    const ids: string[] = [];
    for (const prompt of ["a", "b", "c"]) {
      ids.unshift((await json<JobView>(server.post("/v1/jobs", { prompt }))).id);
    }
    const page = await json<{ data: JobView[]; has_more: boolean }>(server.get("/v1/jobs?limit=2"));
    expect(page.data.map(({ id }) => id)).toEqual(ids.slice(0, 2));
    expect(page.has_more).toBe(true);
    const rest = await json<typeof page>(server.get(`/v1/jobs?limit=2&before=${ids[1]}`));
    expect(rest.data.map(({ id }) => id)).toEqual(ids.slice(2));
    expect(rest.has_more).toBe(false);
    const none = await json<typeof page>(server.get("/v1/jobs?status=finished,failed"));
    expect(none.data).toEqual([]);
    expect((await server.get("/v1/jobs?status=lost")).status).toBe(400);
  });

  it("are moved while they wait, and cancelled once", async () => {
    const server = await start({ rowMs: null });
    const [one, two] = await Promise.all(
      ["a", "b"].map((prompt) => json<JobView>(server.post("/v1/jobs", { prompt }))),
    );
    const moved = await json<JobView>(server.post(`/v1/jobs/${two?.id}/move`, { before: one?.id }));
    expect(moved.queue_position).toBe(0);
    const last = await json<JobView>(server.post(`/v1/jobs/${two?.id}/move`, { before: null }));
    expect(last.queue_position).toBe(1);
    const cancelled = await server.post(`/v1/jobs/${two?.id}/cancel`, {});
    expect(await json<JobView>(cancelled)).toMatchObject({ status: "cancelled" });
    const again = await fetch(`${server.url}/v1/jobs/${two?.id}`, { method: "DELETE" });
    expect(again.status).toBe(409);
    expect(await again.json()).toMatchObject({ error: { code: "job_ended" } });
    expect((await server.post(`/v1/jobs/${two?.id}/move`, {})).status).toBe(409);
    expect((await server.get("/v1/jobs/nobody")).status).toBe(404);
  });

  it("say why they failed", async () => {
    const server = await start();
    const job = await drawn(server, { prompt: "fail" });
    expect(job).toMatchObject({
      status: "failed",
      error: { message: "The prompt cannot be drawn.", code: "bad_prompt", param: "prompt" },
    });
  });

  it("are made from uploads, masks, places and pictures of the gallery", async () => {
    const server = await start();
    const png = await squarePng({ width: 64, height: 64 });
    const upload = await json<{ blob: string }>(
      fetch(`${server.url}/v1/uploads`, { method: "POST", body: form({ file: png }) }),
    );
    const request = async (body: Record<string, unknown>) => {
      const job = await drawn(server, { prompt: "blue", ...body });
      return server.queue.jobs.find(({ record }) => record.id === job.id)?.record.request;
    };
    expect(await request({ images: [upload.blob] })).toMatchObject({
      task: "edit",
      images: [upload.blob],
      readImages: true,
      ground: null,
      asked: { width: 64, height: 64 },
    });
    const mask = { mask: upload.blob, mask_opens: "black" };
    expect(await request({ images: [upload.blob], ...mask })).toMatchObject({
      ground: { kind: "mask", mask: upload.blob, opens: "black" },
      pasteBack: true,
    });
    const place = { place: { left: 0, top: 32 }, size: "64x96" };
    expect(await request({ images: [upload.blob], ...place })).toMatchObject({
      ground: { kind: "place", left: 0, top: 2 },
      asked: { width: 64, height: 96 },
      readImages: false,
    });
    const [picture] = (await drawn(server, { prompt: "a ship", cfg: 3, seed: 5 })).pictures;
    const from = { picture: picture?.id, rows: 2 };
    const job = await drawn(server, { from, steps: 4 });
    const variation = server.queue.jobs.find(({ record }) => record.id === job.id)?.record.request;
    expect(variation).toMatchObject({
      task: "variation",
      prompt: "a ship",
      settings: { cfg: 3, steps: 4 },
      ground: { kind: "rows", picture: picture?.id, rows: 2 },
    });
    for (const body of [
      { images: [upload.blob], ...mask, ...place },
      { ...mask },
      { images: [upload.blob], place: { left: 8, top: 0 } },
      { images: ["0".repeat(64)] },
      { from, size: "96x64" },
    ]) {
      expect((await server.post("/v1/jobs", { prompt: "x", ...body })).status).toBe(400);
    }
    expect((await server.post("/v1/jobs", { from: { picture: "nothing", rows: 1 } })).status).toBe(404);
  });
});

describe("a picture that is repeated", () => {
  it("is drawn from all that it was drawn from, also when the job is forgotten", async () => {
    const server = await start();
    const png = await squarePng({ width: 64, height: 64 });
    const upload = await json<{ blob: string }>(
      fetch(`${server.url}/v1/uploads`, { method: "POST", body: form({ file: png }) }),
    );
    const requestOf = (job: JobView) =>
      server.queue.jobs.find(({ record }) => record.id === job.id)?.record.request;
    const brushed = await drawn(server, {
      ...{ prompt: "blue", n: 2, seed: 5, steps: 7, images: [upload.blob] },
      ...{ mask: upload.blob, mask_opens: "white", output_format: "webp", output_compression: 70 },
      paste_back: false,
    });
    const first = requestOf(brushed);
    server.queue.jobs.length = 0;
    const repeat = { picture: brushed.pictures[1]?.id };
    expect(requestOf(await drawn(server, { repeat }))).toEqual({ ...first, count: 1, seed: 6 });
    expect(requestOf(await drawn(server, { repeat, seed: 9, n: 2, cfg: 3, previews: "rows" }))).toEqual({
      ...first,
      seed: 9,
      settings: { steps: 7, cfg: 3 },
      previews: "rows",
    });
    const other = { prompt: "red", paste_back: true, output_format: "png" };
    expect(requestOf(await drawn(server, { repeat, ...other }))).toMatchObject({
      prompt: "red",
      pasteBack: true,
      output: { format: "png", quality: 70 },
    });
    const refused = await server.post("/v1/jobs", { repeat, images: [upload.blob] });
    expect(refused.status).toBe(400);
    expect(await refused.json()).toMatchObject({
      error: { message: "'repeat' and pictures exclude each other.", param: "images" },
    });
    expect((await server.post("/v1/jobs", { repeat, from: { ...repeat, rows: 1 } })).status).toBe(400);
    expect((await server.post("/v1/jobs", { repeat, size: "96x64" })).status).toBe(400);
    expect((await server.post("/v1/jobs", { repeat: { picture: "nothing" } })).status).toBe(404);
  });

  it("keeps its own first rows where it was drawn on from another, which may be gone", async () => {
    const server = await start();
    const [picture] = (await drawn(server, { prompt: "a ship" })).pictures;
    const [onward] = (await drawn(server, { from: { picture: picture?.id, rows: 2 } })).pictures;
    await fetch(`${server.url}/v1/gallery/${picture?.id}`, { method: "DELETE" });
    const job = await drawn(server, { repeat: { picture: onward?.id } });
    expect(server.queue.jobs.find(({ record }) => record.id === job.id)?.record.request).toMatchObject({
      ground: { kind: "rows", picture: onward?.id, rows: 2 },
      seed: onward?.seed,
    });
  });
});

describe("the gallery", () => {
  it("lists, shows, downloads and removes pictures", async () => {
    const server = await start();
    const [picture] = (await drawn(server, { prompt: "A red zeppelin!", seed: 9, size: "128x128" })).pictures;
    const list = await json<{ data: EntryView[]; has_more: boolean }>(server.get("/v1/gallery"));
    expect(list.data).toEqual([picture]);
    expect(picture).toMatchObject({
      width: 128,
      height: 128,
      native_size: "64x64",
      seed: 9,
      task: "generation",
      notes: [{ kind: "words", words: ["zeppelin"], closest: ["ship"] }],
    });
    const { url = "", thumbnail_url: thumbnail = "", id = "" } = picture ?? {};
    const content = await server.get(`${url}?download`);
    expect(content.headers.get("content-disposition")).toBe('attachment; filename="a-red-zeppelin-9.png"');
    expect(content.headers.get("cache-control")).toBe("public, max-age=31536000, immutable");
    expect((await content.arrayBuffer()).byteLength).toBe(picture?.bytes);
    const same = await server.get(url, { "if-none-match": content.headers.get("etag") ?? "" });
    expect(same.status).toBe(304);
    expect((await server.get(thumbnail)).headers.get("content-type")).toBe("image/webp");
    const gone = await fetch(`${server.url}/v1/gallery/${id}`, { method: "DELETE" });
    expect(await gone.json()).toEqual({ id, deleted: true });
    expect((await server.get(`/v1/gallery/${id}`)).status).toBe(404);
    expect((await server.get(url)).status).toBe(404);
  });

  it("knows its own pictures when they are uploaded", async () => {
    const server = await start();
    const [picture] = (await drawn(server, { prompt: "a ship", seed: 3 })).pictures;
    const file = new Uint8Array(await (await server.get(picture?.url ?? "")).arrayBuffer());
    const upload = await json<{ recipe: { seed: number }; recipe_picture: string; width: number }>(
      fetch(`${server.url}/v1/uploads`, { method: "POST", body: form({ file }) }),
    );
    expect(upload).toMatchObject({ width: 64, recipe: { seed: 3 }, recipe_picture: picture?.id });
  });

  it("takes no upload that is no picture, or too large a one", async () => {
    const server = await start({ limits: { inputPixels: 64 * 64, bodyBytes: 10_000 } });
    const send = (file: Uint8Array): Promise<Response> =>
      fetch(`${server.url}/v1/uploads`, { method: "POST", body: form({ file }) });
    expect((await send(new TextEncoder().encode("<svg/>"))).status).toBe(400);
    expect((await send(await squarePng({ width: 65, height: 64 }))).status).toBe(400);
    expect((await send(new Uint8Array(20_000))).status).toBe(413);
    expect((await send(await squarePng({ width: 64, height: 64 }))).status).toBe(200);
  });
});

describe("the server", () => {
  it("tells of itself", async () => {
    const server = await start();
    expect(await json(server.get("/health"))).toEqual({ status: "ok" });
    expect(await json(server.get("/readyz"))).toEqual({ status: "ready" });
    expect(await json(server.get("/version"))).toEqual({ version: "0.0.0" });
    expect(await json(server.get("/capabilities"))).toMatchObject({
      model: "square",
      size: "64x64",
      sizes: ["64x64", "64x96"],
      token_side: 16,
      needs_key: false,
      limits: { max_n: 10 },
    });
    server.parts.state.drain();
    expect((await server.get("/ready")).status).toBe(503);
    const refused = await server.post("/v1/jobs", { prompt: "a ship" });
    expect(refused.status).toBe(503);
    expect(refused.headers.get("retry-after")).toBe("5");
    expect(await (await server.get("/metrics")).text()).toContain(
      'nextstep_http_requests_total{handler="/ready",method="GET",status="503",model_name="square"} 1',
    );
  });

  it("describes all of its routes", async () => {
    const server = await start();
    const { paths } = await json<{ paths: Record<string, object> }>(server.get("/openapi.json"));
    expect(Object.keys(paths)).toContain("/v1/jobs/{id}/events");
    expect(Object.keys(paths["/v1/jobs"] ?? {})).toEqual(["post", "get"]);
  });
});
