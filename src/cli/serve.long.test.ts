/** @file `nextstep serve` in this process: a tiny model, a store of its own, drawn over HTTP, ended in order. */
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { AbortedError } from "../errors.ts";
import { dataFolder } from "./data-folder.ts";
import { runServe } from "./serve.ts";
import type { ServeCommandOptions } from "./serve-options.ts";
import { testTerminal } from "./test-terminal.ts";

const MODEL = fileURLToPath(new URL("../../test/parity/models/v1.1", import.meta.url));

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "nextstep-serve-"));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

const OPTIONS: ServeCommandOptions = {
  host: "127.0.0.1",
  port: 0,
  model: MODEL,
  threads: 1,
  maxBatch: 2,
  maxQueued: 4,
  maxTokensPerImage: 64,
  aliases: true,
  drainSeconds: 10,
  log: "json",
};

interface Running {
  readonly out: () => string;
  readonly err: () => string;
  /** As SIGTERM does. */
  readonly end: () => void;
  readonly ended: Promise<void>;
}

function serve(change: Partial<ServeCommandOptions>, environment: Record<string, string> = {}): Running {
  const ending = new AbortController();
  const terminal = testTerminal({ environment, signal: ending.signal });
  const options = { ...OPTIONS, store: join(folder, "store"), ...change };
  const ended = runServe(options, { opensPage: false }, terminal);
  ended.catch(() => {});
  return { ...terminal.written, end: () => ending.abort(), ended };
}

async function listening({ out, ended }: Running): Promise<string> {
  const shown = expect.poll(out, { timeout: 50_000 }).toContain("\n");
  await Promise.race([shown, ended]);
  return /^listening on (http:\S+)\n$/.exec(out())?.[1] ?? "";
}

const REQUEST = { prompt: "a house", size: "48x32", steps: 2, cfg: 1, seed: 3 };

function post(url: string, path: string, body: unknown): Promise<Response> {
  const headers = { "content-type": "application/json", authorization: "Bearer key-of-ann-0123456789" };
  return fetch(`${url}${path}`, { method: "POST", headers, body: JSON.stringify(body) });
}

describe("nextstep serve", () => {
  it("draws over HTTP, keeps its store to itself, and ends in order when it is asked to", async () => {
    const keys = join(folder, "keys");
    await writeFile(keys, "# who may draw\nann:key-of-ann-0123456789\n");
    const server = serve({ apiKeyFile: keys });
    const url = await listening(server);
    const answer = await post(url, "/v1/images/generations", REQUEST);
    const { data } = (await answer.json()) as { data: { b64_json: string; seed: number }[] };
    expect(answer.status).toBe(200);
    expect(
      Buffer.from(data[0]?.b64_json ?? "", "base64")
        .subarray(1, 4)
        .toString(),
    ).toBe("PNG");
    await expect.poll(async () => (await fetch(`${url}/ready`)).status, { timeout: 30_000 }).toBe(200);
    expect((await fetch(`${url}/v1/gallery`)).status).toBe(401);
    await expect(serve({}).ended).rejects.toThrow(/process \d+ has this queue open/);
    server.end();
    await server.ended;
    const events = server.err().trim().split("\n");
    expect(events.map((line) => (JSON.parse(line) as { event: string }).event)).toEqual(
      expect.arrayContaining(["job accepted", "claimed", "finished", "ready", "draining", "stopped"]),
    );
    await expect(fetch(url)).rejects.toThrow();
  });

  it("writes any characters into files, and reads them back", async () => {
    const server = serve({ store: join(folder, "letters") });
    const url = await listening(server);
    const prompt = "雨の日の猫 🐈";
    const body = { ...REQUEST, prompt, output_format: "jpeg" };
    const answer = await post(url, "/v1/images/generations", body);
    const { data } = (await answer.json()) as { data: { b64_json: string }[] };
    const form = new FormData();
    form.append("file", new Blob([Buffer.from(data[0]?.b64_json ?? "", "base64")]), "cat.jpg");
    const upload = await fetch(`${url}/v1/uploads`, { method: "POST", body: form });
    expect(await upload.json()).toMatchObject({ recipe: { prompt, seed: 3 }, width: 48 });
    server.end();
    await server.ended;
  });

  it("leaves without listening where it is asked to end while it starts", async () => {
    const server = serve({ store: join(folder, "early") });
    server.end();
    await server.ended.catch((error: unknown) => expect(error).toBeInstanceOf(AbortedError));
    expect(server.out()).toBe("");
  });

  it("says in one line what is wrong with what it was told", async () => {
    await expect(serve({ apiKeyFile: join(folder, "none") }).ended).rejects.toThrow(/none: cannot be read/);
    await expect(serve({}, { NEXTSTEP_API_KEYS: "ann:short" }).ended).rejects.toThrow(
      /entry 1: is not a key/,
    );
    await expect(serve({ publicUrl: "ftp://x" }).ended).rejects.toThrow(/--public-url: "ftp:\/\/x" is not/);
    await writeFile(join(folder, "file"), "");
    await expect(serve({ store: join(folder, "file") }).ended).rejects.toThrow(/is not a folder/);
  });
});

describe("the data folder", () => {
  it("is where the system has such folders", () => {
    expect(dataFolder({ HOME: "/home/ann" }, "linux")).toBe("/home/ann/.local/share/nextstep");
    expect(dataFolder({ HOME: "/home/ann", XDG_DATA_HOME: "/data" }, "linux")).toBe("/data/nextstep");
    expect(dataFolder({ HOME: "/home/ann", XDG_DATA_HOME: "data" }, "linux")).toBe(
      "/home/ann/.local/share/nextstep",
    );
    expect(dataFolder({ HOME: "/Users/ann" }, "darwin")).toBe(
      "/Users/ann/Library/Application Support/nextstep",
    );
  });
});
