/** @file Adapters that requests name: those of the server's list alone, at every door that draws. */
import { afterEach, describe, expect, it } from "vitest";
import type { DrawRequest } from "../contract/draw-request.ts";
import { startTestServer, type TestServer, type TestServerOptions } from "./test-server.ts";

const servers: TestServer[] = [];
afterEach(async () => {
  await Promise.all(servers.splice(0).map((server) => server[Symbol.asyncDispose]()));
});

async function start(options?: TestServerOptions): Promise<TestServer> {
  const server = await startTestServer(options);
  servers.push(server);
  return server;
}

const lastRequest = ({ queue }: TestServer): DrawRequest | undefined => queue.jobs.at(-1)?.record.request;

describe("adapters of a request", () => {
  it.each(["/v1/jobs", "/v1/images/generations"])("are those that %s is told, by name", async (path) => {
    const server = await start({ model: { adapters: ["mug", "style"] } });
    const body = { prompt: "a ship", adapters: ["mug", { name: "style", scale: -0.5 }] };
    expect((await server.post(path, body)).ok).toBe(true);
    expect(lastRequest(server)?.adapters).toEqual([
      { name: "mug", scale: 1 },
      { name: "style", scale: -0.5 },
    ]);
    expect((await server.post(path, { prompt: "a ship" })).ok).toBe(true);
    expect(lastRequest(server)).not.toHaveProperty("adapters");
  });

  it.each<[string, unknown, RegExp]>([
    ["a name that is none", ["/etc/passwd"], /there is no '\/etc\/passwd', there are mug/],
    ["a name twice", ["mug", "mug"], /twice/],
    ["a scale out of range", [{ name: "mug", scale: 99 }], /adapters/],
    ["a path", [{ path: "learned/mug" }], /adapters/],
  ])("are refused for %s", async (_, adapters, message) => {
    const server = await start({ model: { adapters: ["mug"] } });
    const response = await server.post("/v1/jobs", { prompt: "a ship", adapters });
    expect(response.status).toBe(400);
    const { error } = (await response.json()) as { error: { message: string; param: string } };
    expect(`${error.param} ${error.message}`).toMatch(message);
  });

  it("are told to be none where the server has none", async () => {
    const server = await start();
    const response = await server.post("/v1/jobs", { prompt: "a ship", adapters: ["mug"] });
    expect(response.status).toBe(400);
    expect(await response.text()).toContain("the server has none");
    const capabilities = await (await server.get("/capabilities")).json();
    expect(capabilities).toMatchObject({ adapters: [] });
  });
});
