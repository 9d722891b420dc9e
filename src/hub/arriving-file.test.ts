import type { ServerResponse } from "node:http";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { DataFormatError, DownloadError } from "../errors.ts";
import { ArrivingFile } from "./arriving-file.ts";
import { HubClient } from "./hub-client.ts";
import { readHubSettings } from "./hub-settings.ts";
import { noiseBytes, sha256, TestHub } from "./test-hub-server.ts";

const MIB = 2 ** 20;
const BYTES = noiseBytes(60 * MIB + 777);
const PATH = "model.safetensors";
const DIGEST = sha256(BYTES);

let hub: TestHub;
let client: HubClient;
let file: ArrivingFile;
let arrived: number;
beforeEach(async () => {
  hub = await TestHub.start();
  const revision = hub.serve("org/model", [{ path: PATH, bytes: BYTES, large: true }]);
  const clock = { now: () => Date.now(), sleep: async () => {} };
  client = new HubClient(readHubSettings({ HF_ENDPOINT: hub.endpoint, HF_HUB_CACHE: "none" }), clock);
  arrived = 0;
  file = new ArrivingFile(client, {
    subject: { repository: "org/model", revision, file: PATH },
    file: { path: PATH, bytes: BYTES.length, digest: { algorithm: "sha256", hex: DIGEST } },
    signal: undefined,
    onBytes: (bytes) => {
      arrived += bytes;
    },
    onRetry: () => {},
  });
});
afterEach(async () => {
  await file.close();
  await client[Symbol.asyncDispose]();
  await hub[Symbol.asyncDispose]();
});

async function readAll(): Promise<Uint8Array> {
  const bytes = new Uint8Array(BYTES.length);
  for (let at = 0; at < bytes.length; ) {
    const length = Math.min(9 * MIB + 1, bytes.length - at);
    bytes.set(await file.read(at, length), at);
    at += length;
  }
  return bytes;
}

/** The part that is asked for, wherever it ends. */
const rest = (range: string | undefined, response: ServerResponse): Uint8Array => {
  const [, start, end] = /^bytes=(\d+)-(\d+)/.exec(range ?? "")!;
  const part = BYTES.subarray(Number(start), Number(end) + 1);
  response.writeHead(206, {
    "content-length": part.length,
    "content-range": `bytes ${start}-${end}/${BYTES.length}`,
  });
  return part;
};

describe("ArrivingFile", () => {
  it("has the file's bytes, a few parts ahead of what is read", async () => {
    await file.read(0, 8);
    // What is asked for comes without being read; nothing more is asked for then.
    await expect.poll(() => arrived).toBe(40 * MIB);
    expect(hub.seen.length).toBe(5);
    await file.close();
    expect(arrived).toBeLessThanOrEqual(40 * MIB);
  });

  it("goes on at the byte where a connection broke off", async () => {
    let cuts = 0;
    hub.mischief = (_request, response, { range }) => {
      if (cuts++ % 2 === 1) return false;
      const part = rest(range, response);
      response.write(part.subarray(0, part.length / 2), () => response.destroy());
      return true;
    };
    expect(sha256(await readAll())).toBe(DIGEST);
    expect(arrived).toBe(BYTES.length);
    expect(hub.seen.length).toBeGreaterThan(8);
  });

  it("gives up when nothing comes", async () => {
    hub.mischief = (_request, response) => {
      response.destroy();
      return true;
    };
    await expect(file.read(0, 8)).rejects.toThrow(DownloadError);
  });

  it("is read from front to back only", async () => {
    await file.read(0, 8);
    await expect(file.read(0, 8)).rejects.toThrow(DataFormatError);
    await expect(file.read(8, BYTES.length)).rejects.toThrow(DataFormatError);
  });

  it("refuses a server that sends no parts", async () => {
    hub.mischief = (_request, response) => {
      response.writeHead(200, { "content-length": BYTES.length }).end(BYTES);
      return true;
    };
    await expect(readAll()).rejects.toThrow(/sends it as a whole only, for which the disk has no room/);
  });
});
