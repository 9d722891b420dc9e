/** @file Requests through a proxy, and beside it. */
import { createServer, type Server } from "node:http";
import { type AddressInfo, connect } from "node:net";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { DownloadError } from "../errors.ts";
import { HubClient } from "./hub-client.ts";
import { readHubSettings } from "./hub-settings.ts";
import { systemClock } from "./retry.ts";
import { TestHub } from "./test-hub-server.ts";

let hub: TestHub;
let proxy: Server;
let tunnels: { readonly to: string | undefined; readonly user: string | undefined }[];
beforeEach(async () => {
  hub = await TestHub.start();
  hub.serve("org/model", []);
  tunnels = [];
  proxy = createServer();
  proxy.on("connect", (request, socket) => {
    const { url: to, headers } = request;
    if (headers["proxy-authorization"] === undefined) {
      socket.end("HTTP/1.1 407 Proxy Authentication Required\r\n\r\n");
      return;
    }
    tunnels.push({ to, user: headers["proxy-authorization"] });
    const [host = "", port] = (to ?? "").split(":");
    const upstream = connect(Number(port), host, () => {
      socket.write("HTTP/1.1 200 OK\r\n\r\n");
      upstream.pipe(socket).pipe(upstream);
    });
    upstream.on("error", () => socket.destroy());
    socket.on("error", () => upstream.destroy());
  });
  await new Promise<void>((done) => proxy.listen(0, "127.0.0.1", done));
});
afterEach(async () => {
  await hub[Symbol.asyncDispose]();
  proxy.closeAllConnections();
  await new Promise((done) => proxy.close(done));
});

async function ask(environment: Record<string, string>): Promise<unknown> {
  const settings = readHubSettings({ HF_HOME: "/nowhere", HF_ENDPOINT: hub.endpoint, ...environment });
  await using client = new HubClient(settings, systemClock);
  const subject = { repository: "org/model", revision: "main" };
  const address = `${hub.endpoint}/api/models/org/model/revision/main`;
  const { json } = await client.getJson(address, 10_000, { subject, signal: undefined, onRetry: () => {} });
  return json;
}

describe("HubClient", () => {
  it("goes through the proxy that the environment names, with its password", async () => {
    const port = (proxy.address() as AddressInfo).port;
    const environment = { HTTP_PROXY: `http://me:secret@127.0.0.1:${port}` };
    expect(await ask(environment)).toMatchObject({ id: "org/model" });
    const user = `Basic ${Buffer.from("me:secret").toString("base64")}`;
    expect(tunnels).toEqual([{ to: new URL(hub.endpoint).host, user }]);
  });

  it("says that the proxy wants a password", async () => {
    const port = (proxy.address() as AddressInfo).port;
    const asked = ask({ HTTP_PROXY: `127.0.0.1:${port}` });
    await expect(asked).rejects.toThrow(DownloadError);
    await expect(asked).rejects.toThrow(/the proxy refuses the way to 127.0.0.1:\d+ \(407\).*USER:PASSWORD/);
  });

  it("goes past it to hosts in NO_PROXY, and without one whatever this process' own environment says", async () => {
    const port = (proxy.address() as AddressInfo).port;
    await ask({ HTTP_PROXY: `http://me:secret@127.0.0.1:${port}`, NO_PROXY: "127.0.0.1" });
    const own = process.env.http_proxy;
    process.env.http_proxy = `http://me:secret@127.0.0.1:${port}`;
    try {
      await ask({});
    } finally {
      if (own === undefined) delete process.env.http_proxy;
      else process.env.http_proxy = own;
    }
    expect(tunnels).toEqual([]);
  });
});
