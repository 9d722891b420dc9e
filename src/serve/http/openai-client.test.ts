/** @file OpenAI's own client, unmodified, against the server: drawing, editing, streams, errors, retries and going away. */
import OpenAI, { toFile } from "openai";
import { afterEach, describe, expect, it, vi } from "vitest";
import { readPngHeader } from "./test-png.ts";
import { startTestServer, type TestServer, type TestServerOptions } from "./test-server.ts";
import { squarePng } from "./test-worker.ts";

const servers: TestServer[] = [];

async function start(options?: TestServerOptions): Promise<{ server: TestServer; client: OpenAI }> {
  const server = await startTestServer(options);
  servers.push(server);
  return { server, client: clientOf(server) };
}

function clientOf(server: TestServer, apiKey = "unused"): OpenAI {
  return new OpenAI({ baseURL: `${server.url}/v1`, apiKey, maxRetries: 0 });
}

afterEach(async () => {
  await Promise.all(servers.splice(0).map((server) => server[Symbol.asyncDispose]()));
});

function sizeOf(base64: string | undefined): string {
  const { width, height } = readPngHeader(Buffer.from(base64 ?? "", "base64"));
  return `${width}x${height}`;
}

async function square(width: number, height: number, name = "x.png"): Promise<File> {
  return toFile(await squarePng({ width, height }), name, { type: "image/png" });
}

describe("openai", () => {
  it("draws", async () => {
    const { client } = await start();
    const answer = await client.images.generate({
      model: "gpt-image-1",
      prompt: "a ship",
      n: 2,
      size: "1024x1024",
      quality: "high",
      background: "auto",
      moderation: "low",
      output_compression: 100,
      user: "someone",
    });
    expect(answer.data?.map(({ b64_json }) => sizeOf(b64_json))).toEqual(["1024x1024", "1024x1024"]);
    expect(answer).toMatchObject({
      size: "1024x1024",
      x_native_size: "64x64",
      background: "opaque",
      output_format: "png",
      usage: {
        input_tokens: 7,
        input_tokens_details: { text_tokens: 7, image_tokens: 0 },
        output_tokens: 32,
        total_tokens: 39,
      },
    });
    expect(answer._request_id).toMatch(/^req_/);
  });

  it("gets addresses of pictures where it asks for them", async () => {
    const { client, server } = await start();
    const answer = await client.images.generate({ prompt: "a ship", response_format: "url" });
    const url = answer.data?.[0]?.url ?? "";
    expect(url).toMatch(new RegExp(`^${server.url}/v1/images/[\\w-]+/content$`));
    expect((await fetch(url)).headers.get("content-type")).toBe("image/png");
  });

  it("edits one picture or several, with a mask", async () => {
    const { client, server } = await start();
    const image = await square(96, 64);
    const answer = await client.images.edit({ model: "gpt-image-1", image, prompt: "blue", mask: image });
    expect(sizeOf(answer.data?.[0]?.b64_json)).toBe("96x64");
    expect(server.queue.jobs[0]?.record.request).toMatchObject({
      task: "edit",
      ground: { kind: "mask", opens: "transparent" },
      pasteBack: true,
    });
    const images = [await square(64, 64), await square(64, 96)];
    await client.images.edit({ image: images, prompt: "both", n: 2, input_fidelity: "high" });
    expect(server.queue.jobs[1]?.record.request).toMatchObject({
      count: 2,
      images: [expect.any(String), expect.any(String)],
      readImages: true,
      ground: null,
    });
    const refused = client.images.edit({ image: images, prompt: "x", mask: await square(32, 32) });
    await expect(refused).rejects.toMatchObject({ status: 400, param: "mask" });
  });

  it("varies", async () => {
    const { client, server } = await start();
    const answer = await client.images.createVariation({ image: await square(64, 64), n: 2 });
    expect(answer.data).toHaveLength(2);
    expect(server.queue.jobs[0]?.record.request).toMatchObject({
      task: "variation",
      readImages: false,
      ground: { kind: "mask", opens: "white" },
    });
  });

  it("streams looks at unfinished pictures, then the pictures", async () => {
    const { client, server } = await start();
    // A client that comes late hears of the newest look alone.
    const release = server.worker?.holdFrom(3);
    const stream = await client.images.generate({
      prompt: "a ship",
      n: 2,
      stream: true,
      partial_images: 2,
    });
    const events = [];
    for await (const event of stream) {
      events.push(event);
      release?.();
    }
    const partial = events.filter((event) => event.type === "image_generation.partial_image");
    const completed = events.filter((event) => event.type === "image_generation.completed");
    expect(partial.map((event) => event.partial_image_index)).toEqual([0, 0, 1, 1]);
    expect(completed).toHaveLength(2);
    for (const event of events) expect(sizeOf(event.b64_json)).toBe("64x64");
    expect(completed.map((event) => ("image_index" in event ? event.image_index : undefined))).toEqual([
      0, 1,
    ]);
    expect(completed[0]?.usage).toMatchObject({ output_tokens: 32, input_tokens: 7 });
  });

  it("streams edits, and nothing but the picture where no looks are asked for", async () => {
    const { client } = await start();
    const stream = await client.images.edit({ image: await square(64, 64), prompt: "blue", stream: true });
    const types = [];
    for await (const event of stream) types.push(event.type);
    expect(types).toEqual(["image_edit.completed"]);
  });

  it("shows what was wrong with a request", async () => {
    const { client } = await start();
    const generate = (body: Record<string, unknown>): Promise<unknown> =>
      client.images.generate(body as unknown as OpenAI.Images.ImageGenerateParamsNonStreaming);
    const cases: [Record<string, unknown>, string, string][] = [
      [{}, "prompt", "missing_required_parameter"],
      [{ prompt: 3 }, "prompt", "invalid_type"],
      [{ prompt: "x", n: 11 }, "n", "integer_above_max_value"],
      [{ prompt: "x", n: 0 }, "n", "integer_below_min_value"],
      [{ prompt: "x", n: "2" }, "n", "invalid_type"],
      [{ prompt: "x", promt: "y" }, "promt", "unknown_parameter"],
      [{ prompt: "x", size: "big" }, "size", "invalid_value"],
      [{ prompt: "x", size: "9999x9999" }, "size", "invalid_size"],
      [{ prompt: "x", quality: "best" }, "quality", "invalid_value"],
      [{ prompt: "x", partial_images: 4 }, "partial_images", "integer_above_max_value"],
      [{ prompt: "x", cfg: 3, guidance_scale: 4 }, "cfg", "invalid_value"],
      [{ prompt: "x", think: true }, "think", "unsupported_parameter"],
      [{ prompt: "x".repeat(32_001) }, "prompt", "string_above_max_length"],
    ];
    for (const [body, param, code] of cases) {
      const error = await generate(body).catch((caught: unknown) => caught);
      expect(error, JSON.stringify(body).slice(0, 80)).toBeInstanceOf(OpenAI.BadRequestError);
      expect(error).toMatchObject({ param, code, type: "invalid_request_error" });
      expect((error as { requestID?: string }).requestID).toMatch(/^req_/);
    }
    await expect(generate({ prompt: "x", model: "other" })).rejects.toBeInstanceOf(OpenAI.NotFoundError);
    await expect(generate({ prompt: "fail" })).rejects.toMatchObject({ status: 400, code: "bad_prompt" });
    await expect(generate({ prompt: "break" })).rejects.toBeInstanceOf(OpenAI.InternalServerError);
    await expect(client.models.retrieve("other")).rejects.toMatchObject({ code: "model_not_found" });
  });

  it("tells nulls, which are absent, from zeros and false, which are not", async () => {
    const { client, server } = await start();
    await client.images.generate({
      prompt: "x",
      n: null,
      size: null,
      stream: null,
      user: undefined,
    } as never);
    await client.images.generate({ prompt: "x", seed: 0, use_norm: false, noise_level: 0 } as never);
    const [first, second] = server.queue.jobs.map(({ record }) => record.request);
    expect(first).toMatchObject({ count: 1, settings: {} });
    expect(second).toMatchObject({ seed: 0, settings: { useNorm: false, noiseLevel: 0 } });
  });

  it("meets an error in the middle of a stream as an error", async () => {
    const { client } = await start();
    const stream = await client.images.generate({ prompt: "fail", stream: true });
    const all = async (): Promise<void> => {
      for await (const _ of stream);
    };
    await expect(all()).rejects.toMatchObject({ code: "bad_prompt", param: "prompt" });
  });

  it("frees the slot when it goes away", async () => {
    const { client, server } = await start();
    const release = server.worker?.holdFrom(1);
    const leaving = new AbortController();
    const waiting = client.images.generate({ prompt: "a ship" }, { signal: leaving.signal });
    const left = expect(waiting).rejects.toBeInstanceOf(OpenAI.APIUserAbortError);
    await expect.poll(() => server.queue.jobs.length).toBe(1);
    leaving.abort();
    await left;
    const stream = await client.images.generate({ prompt: "a ship", stream: true });
    stream.controller.abort();
    await expect
      .poll(() => server.queue.jobs.map(({ record }) => record.status))
      .toEqual(["cancelled", "cancelled"]);
    release?.();
  });

  it("finds its job again with the same Idempotency-Key, also after going away", async () => {
    const { client, server } = await start();
    const release = server.worker?.holdFrom(1);
    const headers = { "Idempotency-Key": "once" };
    const submitting = vi.spyOn(server.queue, "submit");
    const leaving = new AbortController();
    const lost = client.images.generate({ prompt: "a ship" }, { headers, signal: leaving.signal });
    const left = expect(lost).rejects.toBeInstanceOf(OpenAI.APIUserAbortError);
    await expect.poll(() => submitting.mock.calls.length).toBe(1);
    leaving.abort();
    await left;
    const again = client.images.generate({ prompt: "a ship" }, { headers });
    await expect.poll(() => submitting.mock.calls.length).toBe(2);
    release?.();
    expect((await again).data).toHaveLength(1);
    expect(server.queue.jobs).toHaveLength(1);
    const other = client.images.generate({ prompt: "another" }, { headers });
    await expect(other).rejects.toBeInstanceOf(OpenAI.UnprocessableEntityError);
  });

  it("is answered at once where it prefers to ask again", async () => {
    const { client, server } = await start({ rowMs: null });
    const headers = { Prefer: "respond-async, wait=10" };
    const { data, response } = await client.images.generate({ prompt: "a ship" }, { headers }).withResponse();
    expect(response.status).toBe(202);
    expect(response.headers.get("preference-applied")).toBe("respond-async");
    expect(data).toMatchObject({ object: "job", status: "queued" });
    expect(response.headers.get("location")).toBe(`/v1/jobs/${server.queue.jobs[0]?.record.id}`);
  });

  it("gets no size that is not drawn where sizes are strict", async () => {
    const { client } = await start({ strictSizes: true });
    const refused = client.images.generate({ prompt: "a ship", size: "1024x1024" });
    await expect(refused).rejects.toMatchObject({ status: 400, param: "size", code: "invalid_size" });
    await expect(refused).rejects.toThrow(/use 64 x 64, 64 x 96/);
  });

  it("waits and tries again while the queue is full", async () => {
    const { client, server } = await start({ rowMs: null });
    server.queue.maxQueued = 0;
    const refused = client.images.generate({ prompt: "a ship" });
    await expect(refused).rejects.toMatchObject({ status: 429, code: "queue_full" });
    const error = await client.images.generate({ prompt: "a ship" }).catch((caught: unknown) => caught);
    expect((error as InstanceType<typeof OpenAI.APIError>).headers?.get("retry-after")).toBe("3");
  });

  it("needs a key where there are keys, and sees its own pictures alone", async () => {
    const keys = "ann:key-of-ann-0123456789\nbob:key-of-bob-0123456789\n";
    const { server } = await start({ keys });
    const [ann, bob] = ["ann", "bob"].map((name) => clientOf(server, `key-of-${name}-0123456789`));
    const prompt = "a ship";
    await expect(clientOf(server).images.generate({ prompt })).rejects.toBeInstanceOf(
      OpenAI.AuthenticationError,
    );
    const answer = await ann?.images.generate({ prompt, response_format: "url" });
    const url = answer?.data?.[0]?.url ?? "";
    expect((await fetch(url)).status).toBe(200);
    expect((await fetch(url.replace(/signature=.*/, "signature=0"))).status).toBe(401);
    const [id] = server.gallery.entries.map((entry) => entry.id);
    const see = (client: OpenAI | undefined): Promise<Response> =>
      fetch(`${server.url}/v1/gallery/${id}`, { headers: { authorization: `Bearer ${client?.apiKey}` } });
    expect((await see(ann)).status).toBe(200);
    expect((await see(bob)).status).toBe(404);
    expect(server.lines.join()).toContain('"owner":"ann"');
    expect(server.lines.join()).not.toContain("key-of-ann");
  });

  it("lists the model and its aliases", async () => {
    const { client } = await start();
    const names = [];
    for await (const { id } of client.models.list()) names.push(id);
    expect(names).toEqual(["square", "gpt-image-1", "dall-e-3", "dall-e-2"]);
    expect(await client.models.retrieve("dall-e-3")).toMatchObject({ object: "model", root: "square" });
  });
});
