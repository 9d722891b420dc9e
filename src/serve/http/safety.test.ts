/** @file Hostile and clumsy clients: foreign names and sites, missing keys, slow and silent ones, what is no HTTP, and too much of it. */
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { request } from "node:http";
import { connect, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, describe, expect, it, vi } from "vitest";
import { BodyBudget } from "./body-budget.ts";
import { startTestServer, type TestServer, type TestServerOptions } from "./test-server.ts";
import { TestWorker } from "./test-worker.ts";

const servers: TestServer[] = [];

async function start(options?: TestServerOptions): Promise<TestServer> {
  const server = await startTestServer(options);
  servers.push(server);
  return server;
}

afterEach(async () => {
  await Promise.all(servers.splice(0).map((server) => server[Symbol.asyncDispose]()));
});

interface Raw {
  readonly status: number;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  readonly body: string;
}

/** With headers that `fetch` would not send. */
function send(
  { port }: TestServer,
  method: string,
  path: string,
  headers: Record<string, string> = {},
  body = "",
): Promise<Raw> {
  return new Promise((resolve, reject) => {
    const sent = request({ host: "127.0.0.1", port, method, path, headers }, (answer) => {
      const pieces: Buffer[] = [];
      answer.on("data", (piece: Buffer) => pieces.push(piece));
      answer.on("end", () =>
        resolve({
          status: answer.statusCode ?? 0,
          headers: answer.headers,
          body: Buffer.concat(pieces).toString(),
        }),
      );
    });
    sent.on("error", reject);
    sent.end(body);
  });
}

/** All that a connection answers to what is written to it, until it ends. */
function speak(socket: Socket, text: string): Promise<string> {
  return new Promise((resolve) => {
    let heard = "";
    socket.on("data", (piece) => {
      heard += piece.toString("latin1");
    });
    socket.on("error", () => resolve(heard));
    socket.on("close", () => resolve(heard));
    socket.write(text);
  });
}

const JSON_TYPE = { "content-type": "application/json" };

describe("names and sites", () => {
  it("answers under its own names alone on a loopback address", async () => {
    const server = await start({ site: { publicUrl: "https://pictures.example/draw" } });
    const status = async (host: string): Promise<number> =>
      (await send(server, "GET", "/health", { host })).status;
    for (const host of [
      "localhost",
      `127.0.0.1:${server.port}`,
      "[::1]:80",
      "LOCALHOST:1",
      "pictures.example",
    ]) {
      expect(await status(host), host).toBe(200);
    }
    for (const host of ["evil.example", "localhost.evil.example", "127.0.0.1.nip.io", "evil.example:80"]) {
      expect(await status(host), host).toBe(403);
    }
    const open = await start({ site: { host: "0.0.0.0" } });
    expect((await send(open, "GET", "/health", { host: "any.example" })).status).toBe(200);
  });

  it("builds addresses from what it knows, not from what it is told", async () => {
    const body = JSON.stringify({ prompt: "x", response_format: "url" });
    const urlOf = async (server: TestServer, host: string): Promise<string> => {
      const { body: text } = await send(
        server,
        "POST",
        "/v1/images/generations",
        { ...JSON_TYPE, host },
        body,
      );
      return (JSON.parse(text) as { data: { url: string }[] }).data[0]?.url ?? "";
    };
    const open = await start({ site: { host: "0.0.0.0" } });
    expect(await urlOf(open, "evil.example")).toMatch(`http://127.0.0.1:${open.port}/v1/images/`);
    const named = await start({ site: { publicUrl: "https://pictures.example/draw/" } });
    expect(await urlOf(named, "localhost")).toMatch("https://pictures.example/draw/v1/images/");
  });

  it("takes no changing request from pages of other sites, unless they are allowed", async () => {
    const server = await start({ site: { corsOrigins: ["https://friend.example"] } });
    const own = { host: `localhost:${server.port}` };
    const status = async (headers: Record<string, string>): Promise<number> =>
      (await send(server, "POST", "/v1/jobs", { ...own, ...JSON_TYPE, ...headers }, '{"prompt":"x"}')).status;
    expect(await status({})).toBe(202);
    expect(await status({ origin: `http://localhost:${server.port}`, "sec-fetch-site": "same-origin" })).toBe(
      202,
    );
    expect(await status({ origin: "https://friend.example", "sec-fetch-site": "cross-site" })).toBe(202);
    expect(await status({ origin: "https://evil.example" })).toBe(403);
    expect(await status({ origin: "null" })).toBe(403);
    expect(await status({ origin: "http://localhost:1", "sec-fetch-site": "same-site" })).toBe(403);
    expect(await status({ "sec-fetch-site": "cross-site" })).toBe(403);
    const preflight = (origin: string): Promise<Raw> =>
      send(server, "OPTIONS", "/v1/jobs", { ...own, origin, "access-control-request-method": "POST" });
    const friend = await preflight("https://friend.example");
    expect(friend.headers["access-control-allow-origin"]).toBe("https://friend.example");
    expect((await preflight("https://evil.example")).headers["access-control-allow-origin"]).toBeUndefined();
    const closed = await start();
    const answer = await send(closed, "GET", "/version", { origin: "https://friend.example" });
    expect(answer.headers["access-control-allow-origin"]).toBeUndefined();
  });
});

describe("keys", () => {
  it("guard every route but those that tell nothing", async () => {
    const server = await start({ keys: "ann:key-of-ann-0123456789" });
    for (const path of ["/health", "/ready", "/version", "/openapi.json", "/capabilities"]) {
      expect((await server.get(path)).status, path).toBe(200);
    }
    const document = (await (await server.get("/openapi.json")).json()) as {
      paths: Record<string, Record<string, { security?: unknown[] }>>;
    };
    for (const [path, methods] of Object.entries(document.paths)) {
      for (const [method, { security }] of Object.entries(methods)) {
        if (security?.length === 0) continue;
        const { status, headers } = await send(server, method.toUpperCase(), path.replace(/\{\w+\}/g, "x"));
        expect(status, `${method} ${path}`).toBe(401);
        expect(headers["www-authenticate"]).toBe("Bearer");
      }
    }
    const basic = Buffer.from("any:key-of-ann-0123456789").toString("base64");
    expect((await server.get("/sdapi/v1/options", { authorization: `Basic ${basic}` })).status).toBe(200);
    expect((await server.get("/v1/models", { authorization: "Bearer key-of-ann-012345678" })).status).toBe(
      401,
    );
  });
});

describe("errors", () => {
  it("have OpenAI's shape and a request id, whatever is wrong", async () => {
    const server = await start({ limits: { jsonBytes: 1000 } });
    const cases: [string, string, Record<string, string>, string, number][] = [
      ["GET", "/v1/nothing", {}, "", 404],
      ["GET", "/v1/images/generations", {}, "", 405],
      ["PATCH", "/v1/jobs", {}, "", 405],
      ["DELETE", "/v1/models", {}, "", 405],
      ["POST", "/v1/images/generations", JSON_TYPE, "{", 400],
      ["POST", "/v1/images/generations", JSON_TYPE, "[]", 400],
      ["POST", "/v1/images/generations", JSON_TYPE, "\xff", 400],
      ["POST", "/v1/images/generations", {}, "", 400],
      ["POST", "/v1/images/generations", { "content-type": "text/plain" }, "{}", 415],
      ["POST", "/v1/images/generations", { ...JSON_TYPE, "content-encoding": "gzip" }, "{}", 415],
      ["POST", "/v1/images/generations", JSON_TYPE, JSON.stringify({ prompt: "x".repeat(2000) }), 413],
      ["POST", "/v1/images/generations", JSON_TYPE, '{"__proto__":{"n":1},"prompt":"x"}', 400],
      ["GET", "/v1/images/../../etc/passwd/content", {}, "", 404],
      ["GET", "/v1/gallery/%2e%2e%2f%2e%2e", {}, "", 404],
      ["GET", "/assets/%2e%2e/%2e%2e/package.json", {}, "", 404],
    ];
    for (const [method, path, headers, body, status] of cases) {
      const answer = await send(server, method, path, headers, body);
      expect(answer.status, `${method} ${path} ${body.slice(0, 20)}`).toBe(status);
      expect(JSON.parse(answer.body)).toEqual({
        error: {
          message: expect.any(String),
          type: "invalid_request_error",
          param: expect.toSatisfy((value) => value === null || typeof value === "string"),
          code: expect.toSatisfy((value) => value === null || typeof value === "string"),
        },
      });
      expect(answer.headers["x-request-id"]).toMatch(/^req_/);
    }
    const allowed = await send(server, "PUT", "/v1/jobs");
    expect(allowed.headers.allow).toBe("POST, GET, HEAD, OPTIONS");
    const given = await server.get("/v1/nothing", { "x-request-id": "mine-1" });
    expect(given.headers.get("x-request-id")).toBe("mine-1");
  });

  it("of the server's own are not told", async () => {
    const server = await start();
    server.queue.get = async () => {
      throw new Error("secret at /home/someone");
    };
    const response = await server.get("/v1/jobs/x");
    expect(response.status).toBe(500);
    expect(await response.text()).not.toContain("secret");
    expect(server.lines.join()).toContain("secret at /home/someone");
  });

  it("stand in the log with request and trace", async () => {
    const server = await start();
    const trace = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
    await (await server.get("/v1/jobs/x", { traceparent: trace })).text();
    await expect.poll(() => server.lines.length).toBeGreaterThan(0);
    const line = JSON.parse(server.lines.at(-1) ?? "") as Record<string, unknown>;
    expect(line).toMatchObject({
      event: "request",
      handler: "/v1/jobs/{id}",
      status: 404,
      trace_id: "0af7651916cd43dd8448eb211c80319c",
      parent_id: "b7ad6b7169203331",
    });
  });
});

describe("connections", () => {
  it("that do not speak HTTP are told so", async () => {
    const { port } = await start();
    expect(await speak(connect(port, "127.0.0.1"), "hello\r\n\r\n")).toMatch(
      /^HTTP\/1.1 400 [\s\S]*x-request-id: req_[\s\S]*not HTTP/,
    );
    const long = `GET / HTTP/1.1\r\nhost: localhost\r\nx: ${"x".repeat(40_000)}\r\n\r\n`;
    expect(await speak(connect(port, "127.0.0.1"), long)).toMatch(/^HTTP\/1.1 431 /);
  });

  it("share the memory for bodies", async () => {
    const server = await start({ limits: { bodiesBytes: 1000 } });
    const taking = vi.spyOn(BodyBudget.prototype, "take");
    const slow = connect(server.port, "127.0.0.1");
    slow.write(
      `POST /v1/jobs HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\ncontent-length: 950\r\n\r\n{"prompt":"${"x".repeat(900)}`,
    );
    await expect.poll(() => taking.mock.calls.reduce((sum, [bytes]) => sum + bytes, 0)).toBe(911);
    taking.mockRestore();
    const refused = await server.post("/v1/jobs", { prompt: "x".repeat(200) });
    expect(refused.status).toBe(503);
    expect(refused.headers.get("retry-after")).toBe("2");
    slow.destroy();
    await expect
      .poll(async () => (await server.post("/v1/jobs", { prompt: "x".repeat(200) })).status)
      .toBe(202);
  });

  it("are cut off when their bodies come too slowly, and hold nothing then", async () => {
    const bodyPace = { graceMs: 200, bytesPerSecond: 10 };
    const server = await start({ limits: { bodyPace, bodiesBytes: 1000 } });
    const head = (length: number): string =>
      `POST /v1/jobs HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\ncontent-length: ${length}\r\n\r\n`;
    const slow = connect(server.port, "127.0.0.1");
    const dripping = setInterval(() => slow.write("x"), 200);
    slow.on("error", () => {});
    slow.on("close", () => clearInterval(dripping));
    const body = JSON.stringify({ prompt: "x".repeat(700) });
    const steady = connect(server.port, "127.0.0.1");
    // It pauses, too, and longer, but what has come of it is enough for a minute.
    const taken = speak(steady, `${head(body.length)}${body.slice(0, -1)}`);
    expect(await speak(slow, `${head(900)}{`)).toMatch(/^HTTP\/1.1 408 [\s\S]*too slowly/);
    steady.end(body.slice(-1));
    expect(await taken).toMatch(/^HTTP\/1.1 202 /);
    expect((await server.post("/v1/jobs", { prompt: "x".repeat(900) })).status).toBe(202);
  });

  it("hear a ping while there is nothing else", async () => {
    const server = await start({ rowMs: null, limits: { pingMs: 20 } });
    const response = await server.post("/v1/images/generations", { prompt: "x", stream: true });
    expect(response.headers.get("content-type")).toBe("text/event-stream; charset=utf-8");
    const reader = response.body?.getReader();
    let heard = "";
    while (!heard.includes(": ping\n\n: ping\n\n")) {
      heard += new TextDecoder().decode((await reader?.read())?.value);
    }
    await reader?.cancel();
    await expect.poll(() => server.queue.jobs[0]?.record.status).toBe("cancelled");
  });

  it("that take nothing of a stream cost a few events, and are cut off", async () => {
    const server = await start({ rowMs: 1, limits: { stallMs: 400, pingMs: 50 } });
    let reads = 0;
    const get = server.store.get.bind(server.store);
    server.store.get = async (name) => {
      reads++;
      // A megabyte a look: what the socket's buffers hold is soon full.
      return (await get(name)) === undefined ? undefined : new Uint8Array(2 ** 20);
    };
    const body = JSON.stringify({ prompt: "x", n: 10, stream: true, partial_images: 3 });
    const socket = connect(server.port, "127.0.0.1");
    socket.on("error", () => {});
    socket.pause();
    socket.write(
      `POST /v1/images/generations HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\ncontent-length: ${body.length}\r\n\r\n${body}`,
    );
    const cut = (): boolean => server.lines.some((line) => line.includes('"cut_off":true'));
    await expect.poll(cut).toBe(true);
    expect(reads).toBeLessThan(10);
    socket.destroy();
  });
});

describe("a crowd", () => {
  it("of 64, some of whom ask for nonsense, gets pictures, refusals and nothing else", async () => {
    const server = await start({ rowMs: null });
    server.queue.maxQueued = 16;
    const statuses: number[] = [];
    const nonsense = [
      '{"prompt":',
      '{"prompt":"x","n":99}',
      '{"promt":"x"}',
      '{"prompt":"x","size":"1x1x1"}',
    ];
    const asked = Array.from({ length: 64 }, async (_, index) => {
      const isBad = index % 10 === 0;
      const stream = index % 3 === 0;
      const body = isBad ? nonsense[(index / 10) % nonsense.length] : { prompt: "a ship", stream };
      const response = await server.post("/v1/images/generations", body);
      const text = await response.text();
      if (response.status === 200) expect(text).toMatch(/"b64_json":"iVBOR/);
      if (response.status === 429) expect(response.headers.get("retry-after")).toBe("3");
      statuses.push(response.status);
    });
    // All that can be refused is; the others wait to be drawn.
    await expect.poll(() => statuses.length).toBe(64 - 16);
    await using _worker = new TestWorker(server.queue, server.store);
    await Promise.all(asked);
    expect(statuses.filter((status) => status === 200)).toHaveLength(16);
    expect(statuses.filter((status) => status === 400)).toHaveLength(7);
    expect(statuses.filter((status) => status === 429)).toHaveLength(64 - 16 - 7);
    expect(server.queue.jobs.every(({ record }) => record.status === "finished")).toBe(true);
  });

  it("that still waits when the server stops is told so, and its jobs are not left behind", async () => {
    const server = await start({ rowMs: null });
    const plain = server.post("/v1/images/generations", { prompt: "a ship" });
    const stream = server.post("/v1/images/generations", { prompt: "a ship", stream: true });
    const kept = (await (await server.post("/v1/jobs", { prompt: "a ship" })).json()) as { id: string };
    await expect.poll(() => server.queue.jobs.length).toBe(3);
    server.parts.state.stop();
    expect((await plain).status).toBe(503);
    expect((await plain).headers.get("retry-after")).toBe("5");
    expect(await (await stream).text()).toMatch(/event: error\ndata: .*"code":"stopping"/);
    const left = server.queue.jobs.filter(({ record }) => record.status === "queued");
    expect(left.map(({ record }) => record.id)).toEqual([kept.id]);
  });
});

describe("the page", () => {
  it("is its files alone, with a strict policy", async () => {
    const folder = await mkdtemp(join(tmpdir(), "page-"));
    try {
      await mkdir(join(folder, "assets"));
      await writeFile(join(folder, "index.html"), "<!doctype html><title>x</title>".padEnd(2000));
      await writeFile(join(folder, "assets", "index-AbCd_123.js"), "1".repeat(2000));
      await writeFile(join(folder, "notes.md"), "not of the page");
      const server = await start({ pageFolder: folder, keys: "ann:key-of-ann-0123456789" });
      const page = await server.get("/");
      expect(page.headers.get("content-type")).toBe("text/html; charset=utf-8");
      expect(page.headers.get("content-security-policy")).toMatch(/^default-src 'none'; script-src 'self';/);
      expect(page.headers.get("cache-control")).toBe("no-cache");
      const script = await send(server, "GET", "/assets/index-AbCd_123.js", { "accept-encoding": "gzip" });
      expect(script.headers).toMatchObject({
        "content-encoding": "gzip",
        "cache-control": "public, max-age=31536000, immutable",
        "content-type": "text/javascript; charset=utf-8",
      });
      const etag = String(script.headers.etag);
      const again = await send(server, "GET", "/assets/index-AbCd_123.js", { "if-none-match": etag });
      expect(again.status).toBe(304);
      for (const path of ["/notes.md", "/assets", "/assets/", "/index-AbCd_123.js", "/..%2findex.html"]) {
        expect((await server.get(path)).status, path).toBe(404);
      }
      expect((await server.post("/index.html", {})).status).toBe(404);
    } finally {
      await rm(folder, { recursive: true });
    }
  });
});
