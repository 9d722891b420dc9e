/** The commands around the hub's cache as users run them, against a hub on this machine. */
import { type ChildProcess, spawn } from "node:child_process";
import { mkdtemp, readdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { BLOCK_BYTES } from "../hub/incomplete-file.ts";
import { noiseBytes, type ServedFile, TestHub } from "../hub/test-hub-server.ts";

const COMMAND = fileURLToPath(new URL("./main.ts", import.meta.url));
const TSX = import.meta.resolve("tsx");
const WEIGHTS = noiseBytes(2 * BLOCK_BYTES);
const MODEL: readonly ServedFile[] = [
  { path: "config.json", bytes: new TextEncoder().encode('{"model_type":"nextstep"}') },
  { path: "vae/checkpoint.pt", bytes: noiseBytes(5), large: true },
  { path: "model.safetensors", bytes: WEIGHTS, large: true },
];

let cache: string;
let hub: TestHub;
beforeEach(async () => {
  cache = await mkdtemp(join(tmpdir(), "pull-"));
  hub = await TestHub.start();
  hub.serve("org/model", MODEL);
});
afterEach(async () => {
  await hub[Symbol.asyncDispose]();
  await rm(cache, { recursive: true });
});

interface Outcome {
  readonly code: number | null;
  readonly out: string;
  readonly err: string;
}

async function nextstep(args: readonly string[], onErr?: (child: ChildProcess) => void): Promise<Outcome> {
  const env = { ...process.env, HF_HUB_CACHE: cache, HF_HOME: cache, HF_ENDPOINT: hub.endpoint };
  const child = spawn(process.execPath, ["--import", TSX, COMMAND, ...args], { cwd: cache, env });
  let out = "";
  let err = "";
  child.stdout.on("data", (data: Buffer) => {
    out += data;
  });
  child.stderr.on("data", (data: Buffer) => {
    err += data;
    onErr?.(child);
  });
  const code = await new Promise<number | null>((done) => child.once("close", done));
  return { code, out, err };
}

describe("nextstep pull, models and models rm", () => {
  it("fetch, list and remove", async () => {
    const pulled = await nextstep(["pull", "org/model"]);
    expect(pulled.code).toBe(0);
    const folder = pulled.out.trim();
    expect(await readdir(folder)).toEqual(["config.json", "model.safetensors", "vae"]);
    expect(pulled.err).toMatch(
      /^org\/model at main \([0-9a-f]{12}\), 3 files, 8\.39 MB, 8\.39 MB to fetch, /,
    );
    expect(pulled.err).toMatch(/8\.39 MB fetched; use it with --model org\/model\n$/);

    const again = await nextstep(["pull", "org/model", "--json"]);
    const lines = again.out
      .trim()
      .split("\n")
      .map((line) => JSON.parse(line) as { type: string });
    expect(lines.map(({ type }) => type)).toEqual(["plan", "result"]);
    expect(lines[1]).toMatchObject({ name: "org/model", folder, fetched: 0 });

    expect((await nextstep(["models"])).out).toMatch(/^org\/model {2}[0-9a-f]{12} {2}8\.39 MB {2}/);
    const removed = await nextstep(["models", "rm", "org/model"]);
    expect(removed).toMatchObject({ code: 0, err: "" });
    expect(removed.out).toMatch(/^removing org\/model \([0-9a-f]{12}\) from .*, 8\.39 MB\n$/);
    const none = await nextstep(["models", "rm", "org/model"]);
    expect(none).toMatchObject({ code: 1, out: "" });
    expect(none.err).toMatch(/^nextstep: org\/model: is not in the cache/);
  });

  it("stop at Ctrl-C with its code and what was fetched", async () => {
    hub.mischief = (_, response, { path }) => {
      if (!path.endsWith("/model.safetensors")) return false;
      response.writeHead(200, { "content-length": WEIGHTS.length });
      response.write(WEIGHTS.subarray(0, BLOCK_BYTES + 5));
      return true;
    };
    let isStopped = false;
    const stopped = nextstep(["pull", "org/model"], (child) => {
      if (!isStopped) setTimeout(() => child.kill("SIGINT"), 1000);
      isStopped = true;
    });
    const { code, err } = await stopped;
    expect(code).toBe(130);
    expect(err).toMatch(/\nstopped; what was fetched is kept: run the same command to go on\n$/);
    hub.mischief = () => false;
    hub.seen.length = 0;
    expect((await nextstep(["pull", "org/model"])).err).toMatch(/4\.19 MB are here, 4\.19 MB to fetch/);
    expect(hub.seen.at(-1)?.range).toBe(`bytes=${BLOCK_BYTES}-${WEIGHTS.length - 1}`);
  });

  it("ask nothing of the hub unless pull was called", async () => {
    const { code, err } = await nextstep(["a house", "--model", "org/model"]);
    expect(code).toBe(1);
    expect(err).toMatch(/fetch it with `nextstep pull org\/model`/);
    await nextstep(["models"]);
    expect(hub.seen).toEqual([]);
  });
});
