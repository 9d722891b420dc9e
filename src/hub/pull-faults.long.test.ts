/** @file Pulling from a hub that lies, breaks off, refuses and stalls. */
import { execFile } from "node:child_process";
import { mkdtemp, readdir, readFile, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { AbortedError, DownloadError, InputError } from "../errors.ts";
import { repoFolders } from "./cache-layout.ts";
import { readHubSettings } from "./hub-settings.ts";
import { BLOCK_BYTES } from "./incomplete-file.ts";
import { pull } from "./pull.ts";
import type { PullEvent } from "./pull-events.ts";
import { parseRepoName } from "./repo-name.ts";
import type { Clock } from "./retry.ts";
import {
  listingEntry,
  noiseBytes,
  type ServedFile,
  sendBytes,
  sendJson,
  sha256,
  TestHub,
} from "./test-hub-server.ts";

const text = (content: string): Uint8Array => new TextEncoder().encode(content);
const WEIGHTS = noiseBytes(18 * BLOCK_BYTES + 777);
const WEIGHT_FILE = { path: "model.safetensors", bytes: WEIGHTS, large: true };
const MODEL: readonly ServedFile[] = [
  { path: "config.json", bytes: text("{}") },
  { path: "vae/checkpoint.pt", bytes: text("coder"), large: true },
  WEIGHT_FILE,
];
/** Small, where only the way of the request counts. */
const SMALL: readonly ServedFile[] = [...MODEL.slice(0, 2), { ...WEIGHT_FILE, bytes: noiseBytes(3000) }];

let cache: string;
let hub: TestHub;
let other: TestHub;
let pauses: number[];
beforeEach(async () => {
  cache = await mkdtemp(join(tmpdir(), "hub-"));
  hub = await TestHub.start();
  other = await TestHub.start();
  pauses = [];
});
afterEach(async () => {
  await hub[Symbol.asyncDispose]();
  await other[Symbol.asyncDispose]();
  await rm(cache, { recursive: true });
});

const NOW = Date.parse("Tue, 24 Nov 2026 12:00:00 GMT");
const clock: Clock = {
  now: () => NOW,
  async sleep(milliseconds) {
    pauses.push(milliseconds);
  },
};
const run = (more: Record<string, string> = {}, signal?: AbortSignal, onEvent?: (event: PullEvent) => void) =>
  pull(
    parseRepoName("org/model"),
    readHubSettings({ HF_HUB_CACHE: cache, HF_HOME: cache, HF_ENDPOINT: hub.endpoint, ...more }),
    { clock, ...(signal === undefined ? {} : { signal }), ...(onEvent === undefined ? {} : { onEvent }) },
  );
const isWeights = (path: string): boolean => path.endsWith("/model.safetensors");
const expectWeights = async (folder: string, bytes = WEIGHTS): Promise<void> => {
  expect((await readFile(join(folder, "model.safetensors"))).equals(bytes)).toBe(true);
  const left = await readdir(repoFolders(cache, "org/model").blobs);
  expect(left.filter((name) => name.includes("incomplete"))).toEqual([]);
};
const blob = (): string => join(repoFolders(cache, "org/model").blobs, sha256(WEIGHTS));
const list = (): string => `${blob()}.nextstep.blocks.incomplete`;
const blocksListed = async (count: number): Promise<void> => {
  const lines = async (): Promise<string[]> => (await readFile(list(), "utf8").catch(() => "")).split("\n");
  while ((await lines()).length - 2 < count) await new Promise((done) => setTimeout(done, 20));
};

describe("a connection that breaks off", () => {
  it("is taken up again at the byte where it did, by several at once", async () => {
    hub.serve("org/model", MODEL);
    let cuts = 0;
    hub.mischief = (_, response, { path, range }) => {
      if (!isWeights(path) || cuts === 6) return false;
      cuts++;
      const [start = 0, end = 0] = (range ?? "").match(/\d+/g)?.map(Number) ?? [];
      const part = WEIGHTS.subarray(start, end + 1);
      response.writeHead(206, {
        "content-length": part.length,
        "content-range": `bytes ${start}-${end}/${WEIGHTS.length}`,
      });
      response.write(part.subarray(0, 1_500_000), () => response.destroy());
      return true;
    };
    const { folder } = await run();
    await expectWeights(folder);
    const starts = hub.seen
      .filter(({ path }) => isWeights(path))
      .map(({ range }) => Number(/\d+/.exec(range ?? "")?.[0]));
    expect(starts.filter((start) => start % BLOCK_BYTES !== 0).length).toBeGreaterThanOrEqual(4);
    expect(pauses.length).toBe(6);
  });

  it("is given up after six tries without progress, and what arrived is used the next time", async () => {
    hub.serve("org/model", MODEL);
    let requests = 0;
    hub.mischief = (_, response, { path }) => {
      if (!isWeights(path)) return false;
      if (requests++ === 0) return false;
      // Not before the first connection has brought its part.
      void blocksListed(16).then(() => response.destroy());
      return true;
    };
    const failure = run();
    await expect(failure).rejects.toThrow(DownloadError);
    await expect(failure).rejects.toThrow(/broke off.*run the same command again/);
    expect(pauses.slice(0, 5).sort((a, b) => a - b)).toEqual([1000, 2000, 4000, 8000, 16000]);
    hub.mischief = () => false;
    hub.seen.length = 0;
    const { folder, fetched } = await run();
    await expectWeights(folder);
    expect(fetched).toBe(2 * BLOCK_BYTES + 777);
    expect(hub.seen.filter(({ path }) => isWeights(path)).map(({ range }) => range)).toEqual([
      `bytes=${16 * BLOCK_BYTES}-${WEIGHTS.length - 1}`,
    ]);
  });

  it("costs no more than is in flight when the process is killed, and damage done meanwhile is noticed", async () => {
    hub.serve("org/model", MODEL);
    const held: (() => void)[] = [];
    hub.mischief = (_, response, { path, range }) => {
      if (!isWeights(path)) return false;
      const start = Number(/\d+/.exec(range ?? "")?.[0]);
      if (start < 16 * BLOCK_BYTES) return false;
      held.push(() => response.destroy());
      return true;
    };
    const script = `import { pull } from ${JSON.stringify(fileURLToPath(new URL("pull.ts", import.meta.url)))};
      import { readHubSettings } from ${JSON.stringify(fileURLToPath(new URL("hub-settings.ts", import.meta.url)))};
      await pull({ repository: "org/model", revision: "main" }, readHubSettings(process.env));`;
    const file = join(cache, "pull.mts");
    await writeFile(file, script);
    const env = { ...process.env, HF_HUB_CACHE: cache, HF_ENDPOINT: hub.endpoint };
    const child = execFile(process.execPath, ["--import", "tsx", file], { env });
    const ended = new Promise((done) => child.once("exit", done));
    await blocksListed(16);
    child.kill("SIGKILL");
    await ended;
    for (const release of held) release();
    // A block whose bytes did not reach the disk, and a line that was half written.
    const data = await readFile(`${blob()}.nextstep.incomplete`);
    data.fill(0, 3 * BLOCK_BYTES + 10, 3 * BLOCK_BYTES + 20);
    await writeFile(`${blob()}.nextstep.incomplete`, data);
    await writeFile(list(), "17 abc", { flag: "a" });
    hub.mischief = () => false;
    hub.seen.length = 0;
    const { folder } = await run();
    await expectWeights(folder);
    const ranges = hub.seen.filter(({ path }) => isWeights(path)).map(({ range }) => range);
    expect(ranges).toEqual([
      `bytes=${3 * BLOCK_BYTES}-${4 * BLOCK_BYTES - 1}`,
      `bytes=${16 * BLOCK_BYTES}-${WEIGHTS.length - 1}`,
    ]);
  });

  it("ends with the signal, resumable", async () => {
    hub.serve("org/model", MODEL);
    const controller = new AbortController();
    const stopped = run({}, controller.signal, (event) => {
      if (event.type === "progress" && event.done > 6 * BLOCK_BYTES) controller.abort();
    });
    await expect(stopped).rejects.toThrow(AbortedError);
    expect((await stat(`${blob()}.nextstep.incomplete`)).size).toBeGreaterThan(BLOCK_BYTES);
    const { folder, fetched } = await run();
    await expectWeights(folder);
    expect(fetched).toBeLessThan(WEIGHTS.length);
  });
});

describe("a server that says one thing and does another", () => {
  it("may ignore ranges: it is read from front to back, once", async () => {
    hub.serve("org/model", MODEL);
    hub.mischief = (_, response, { path }) => {
      if (!isWeights(path)) return false;
      sendBytes(response, WEIGHTS, undefined);
      return true;
    };
    const { folder } = await run();
    await expectWeights(folder);
    expect(hub.seen.filter(({ path }) => isWeights(path))).toHaveLength(1);
  });

  it("may ignore ranges when it is asked to go on", async () => {
    hub.serve("org/model", MODEL);
    let requests = 0;
    hub.mischief = (_, response, { path }) => {
      if (!isWeights(path)) return false;
      if (requests++ > 0) sendBytes(response, WEIGHTS, undefined);
      else {
        response.writeHead(200, { "content-length": WEIGHTS.length });
        response.write(WEIGHTS.subarray(0, 5_000_000), () => response.destroy());
      }
      return true;
    };
    await expectWeights((await run()).folder);
    expect(requests).toBe(2);
  });

  it("is found out by the digest; the file is fetched once more and then refused", async () => {
    hub.serve("org/model", SMALL);
    const wrong = Uint8Array.from(SMALL[2]!.bytes);
    wrong[5]! ^= 1;
    let wrongAnswers = Number.POSITIVE_INFINITY;
    hub.mischief = (_, response, { path, range }) => {
      if (!isWeights(path) || wrongAnswers-- <= 0) return false;
      sendBytes(response, wrong, range);
      return true;
    };
    await expect(run()).rejects.toThrow(/is not the file \(sha256 differs\)/);
    expect(await readdir(repoFolders(cache, "org/model").blobs)).toHaveLength(2);
    expect(await readdir(repoFolders(cache, "org/model").refs)).toEqual([]);
    wrongAnswers = 1;
    await expectWeights((await run()).folder, SMALL[2]!.bytes);
  });

  it("is found out for small files by git's digest", async () => {
    hub.serve("org/model", SMALL);
    hub.mischief = (_, response, { path }) => {
      if (!path.endsWith("/config.json")) return false;
      sendBytes(response, text("[]"), undefined);
      return true;
    };
    await expect(run()).rejects.toThrow(/git-sha1 differs/);
  });

  it.each([
    ["another length", { "content-length": "99" }, /the server has 99 bytes, its listing says 3000/],
    ["another commit", { "x-repo-commit": "0".repeat(40) }, /another version of the file/],
    ["another digest", { "x-linked-etag": `"${"0".repeat(64)}"` }, /another version of the file/],
  ])("is refused for %s", async (_, headers, message) => {
    hub.serve("org/model", SMALL);
    hub.mischief = (_request, response, { path }) => {
      if (!isWeights(path)) return false;
      response.writeHead(200, headers).end(new Uint8Array(99));
      return true;
    };
    await expect(run()).rejects.toThrow(message);
    expect(pauses).toEqual([]);
  });

  it.each([
    ["another part", `bytes 5-9/${WEIGHTS.length}`],
    ["another total", "bytes 0-67108863/67108864"],
    ["no range", "pages 1-2"],
  ])("is refused for %s", async (_, range) => {
    hub.serve("org/model", MODEL);
    hub.mischief = (_request, response, { path }) => {
      if (!isWeights(path)) return false;
      response.writeHead(206, { "content-range": range }).end(new Uint8Array(5));
      return true;
    };
    await expect(run()).rejects.toThrow(DownloadError);
    expect(pauses).toEqual([]);
  });

  it("cannot end a file early and have it believed", async () => {
    hub.serve("org/model", SMALL);
    hub.mischief = (_, response, { path }) => {
      if (!isWeights(path)) return false;
      response.writeHead(200).end(noiseBytes(3000).subarray(0, 2000));
      return true;
    };
    await expect(run()).rejects.toThrow(/ended it too early/);
    expect(pauses).toHaveLength(5);
  });

  const shown = (entry: Record<string, unknown>) => {
    hub.serve("org/model", SMALL);
    hub.mischief = (_, response, { path }) => {
      if (!path.includes("/tree/")) return false;
      sendJson(response, [...SMALL.map(listingEntry), { ...listingEntry(SMALL[0]!), ...entry }]);
      return true;
    };
    return run();
  };
  it.each([
    "../../evil.json",
    "/etc/passwd",
    "C:/x.json",
    "a\\..\\x.json",
    "vae//x.json",
    "con.json",
    "a\u001b[2J",
    "x.",
  ])("cannot name a file %j", async (path) => {
    await expect(shown({ path })).rejects.toThrow(/a file by the name/);
    expect(hub.fetched).toEqual([]);
  });
  it.each([
    [{ size: -1 }, /impossible size/],
    [{ size: 1e300 }, /impossible size/],
    [{ size: "1" }, /impossible size/],
    [{ oid: "../../../x" }, /no digest/],
    [{ lfs: { oid: "abc", size: 5 } }, /no digest/],
    [{ path: 7 }, /without a name/],
  ])("cannot list %j", async (entry, message) => {
    await expect(shown(entry)).rejects.toThrow(message);
  });

  it.each([
    ["no JSON", "/revision/", "<html>", /is not JSON/],
    ["no commit", "/revision/", "{}", /names no commit/],
    ["a path for a commit", "/revision/", '{"sha":"../../x"}', /names no commit/],
    ["no list", "/tree/", "{}", /is not a list/],
    ["a list of something else", "/tree/", "[1]", /something other than files/],
  ])("is no hub if it answers with %s", async (_, place, answer, message) => {
    hub.serve("org/model", SMALL);
    hub.mischief = (_request, response, { path }) => {
      if (!path.includes(place)) return false;
      response.end(answer);
      return true;
    };
    await expect(run()).rejects.toThrow(message);
  });

  it("cannot list without end, nor lead elsewhere for more", async () => {
    hub.serve("org/model", SMALL);
    let pages = 0;
    let next = hub.endpoint;
    hub.mischief = (_, response, { path }) => {
      if (!path.includes("/tree/")) return false;
      sendJson(response, [], { link: `<${next}/api/models/org/model/tree/x?cursor=${pages++}>; rel="next"` });
      return true;
    };
    await expect(run()).rejects.toThrow(/too many pages/);
    expect(pages).toBeLessThan(100);
    next = other.endpoint;
    await expect(run()).rejects.toThrow(/continues at another place/);
    expect(other.seen).toEqual([]);
  });

  it("cannot send a description without end", async () => {
    hub.serve("org/model", SMALL);
    hub.mischief = (_, response, { path }) => {
      if (!path.includes("/tree/")) return false;
      const more = (): void => {
        if (!response.destroyed) response.write(" ".repeat(1 << 20), more);
      };
      response.writeHead(200);
      more();
      return true;
    };
    await expect(run()).rejects.toThrow(/more than \d+ bytes/);
  });
});

describe("redirects", () => {
  it("to another host are followed without the token, to the hub's own with it", async () => {
    hub.serve("org/model", SMALL);
    other.mischief = (_, response, { range }) => {
      sendBytes(response, SMALL[2]!.bytes, range);
      return true;
    };
    hub.mischief = (_, response, { path }) => {
      if (path.startsWith("/org/model/resolve/") && isWeights(path)) {
        response.writeHead(302, { location: `${other.endpoint}/store/model.safetensors?signature=s` }).end();
        return true;
      }
      if (path.startsWith("/org/model/") && path.endsWith("/config.json")) {
        response.writeHead(307, { location: "/moved/config.json" }).end();
        return true;
      }
      if (path !== "/moved/config.json") return false;
      sendBytes(response, SMALL[0]!.bytes, undefined);
      return true;
    };
    await run({ HF_TOKEN: "hf_secret" });
    expect(other.seen.map(({ authorization }) => authorization)).toEqual([undefined]);
    expect(new Set(hub.seen.map(({ authorization }) => authorization))).toEqual(
      new Set(["Bearer hf_secret"]),
    );
    expect(hub.seen.some(({ path }) => path === "/moved/config.json")).toBe(true);
  });

  it("in circles, and to what is not the web, are refused", async () => {
    hub.serve("org/model", SMALL);
    let location = "/org/model/resolve/again/model.safetensors";
    hub.mischief = (_, response, { path }) => {
      if (!isWeights(path)) return false;
      response.writeHead(302, { location }).end();
      return true;
    };
    await expect(run()).rejects.toThrow(/in circles/);
    location = "file:///etc/passwd";
    await expect(run()).rejects.toThrow(/not followed/);
  });

  it("to a link that has expired are asked for anew", async () => {
    hub.serve("org/model", SMALL);
    let expired = true;
    other.mischief = (_, response, { range }) => {
      if (expired) response.writeHead(403).end();
      else sendBytes(response, SMALL[2]!.bytes, range);
      expired = false;
      return true;
    };
    hub.mischief = (_, response, { path }) => {
      if (!isWeights(path)) return false;
      response.writeHead(302, { location: `${other.endpoint}/store` }).end();
      return true;
    };
    await expectWeights((await run()).folder, SMALL[2]!.bytes);
    expect(pauses).toEqual([1000]);
  });
});

describe("answers that are none", () => {
  const answering = (
    status: number,
    headers: Record<string, string> = {},
    times = Number.POSITIVE_INFINITY,
  ) => {
    hub.serve("org/model", SMALL);
    let left = times;
    hub.mischief = (_, response, { path }) => {
      if (!isWeights(path) || left-- <= 0) return false;
      response.writeHead(status, headers).end();
      return true;
    };
  };

  it.each([
    [401, {}, {}, /does not exist, or is not public.*HF_TOKEN/],
    [401, {}, { HF_TOKEN: "hf_wrong" }, /the access token was refused.*HF_TOKEN/],
    [
      403,
      { "x-error-code": "GatedRepo" },
      {},
      /access was refused \(403\).*accept the terms at http.*org\/model/,
    ],
    [403, {}, { HF_TOKEN: "hf_right" }, /access was refused/],
    [404, {}, {}, /lists the file but does not have it/],
    [416, {}, {}, /ends before the place that was asked for/],
    [400, { "x-error-message": "no such file" }, {}, /the server answered 400: "no such file"/],
  ])("%d %j with %j ends it at once", async (status, headers, environment, message) => {
    answering(status, headers as Record<string, string>);
    const failure = run(environment as Record<string, string>);
    await expect(failure).rejects.toThrow(DownloadError);
    await expect(failure).rejects.toThrow(message);
    await expect(failure).rejects.not.toThrow(/hf_/);
    expect(pauses).toEqual([]);
  });

  it.each([
    ["seconds", "7", 7000],
    ["a date", "Tue, 24 Nov 2026 12:00:09 GMT", 9000],
    ["a date gone by", "Tue, 24 Nov 2026 11:00:00 GMT", 0],
    ["nonsense", "soon", 1000],
  ])("429 is waited out as it says: %s", async (_, header, pause) => {
    answering(429, { "retry-after": header }, 1);
    await expectWeights((await run()).folder, SMALL[2]!.bytes);
    expect(pauses).toEqual([pause]);
  });

  it("429 for longer than anybody waits ends it", async () => {
    answering(429, { "retry-after": "3600" });
    await expect(run()).rejects.toThrow(/too many requests \(429\).*again in 3600 s/);
    expect(pauses).toEqual([]);
  });

  it("5xx is tried again, and not for ever", async () => {
    answering(503, {}, 3);
    await expectWeights((await run()).folder, SMALL[2]!.bytes);
    expect(pauses).toEqual([1000, 2000, 4000]);
    await rm(repoFolders(cache, "org/model").root, { recursive: true });
    answering(500);
    await expect(run()).rejects.toThrow(/the server failed \(500\)/);
  });

  it("silence ends with the time limit, whether before the answer or in it", async () => {
    hub.serve("org/model", SMALL);
    let silent = 0;
    hub.mischief = (_, response, { path }) => {
      if (!isWeights(path) || silent === 2) return false;
      if (silent++ === 0) return true;
      response.writeHead(200, { "content-length": 3000 });
      response.write(noiseBytes(3000).subarray(0, 100));
      return true;
    };
    await expectWeights((await run({ HF_HUB_DOWNLOAD_TIMEOUT: "0.3" })).folder, SMALL[2]!.bytes);
    expect(pauses).toEqual([1000, 2000]);
    await rm(repoFolders(cache, "org/model").root, { recursive: true });
    hub.mischief = () => true;
    await expect(run({ HF_HUB_DOWNLOAD_TIMEOUT: "0.1" })).rejects.toThrow(
      /has gone silent.*HF_HUB_DOWNLOAD_TIMEOUT/,
    );
  });

  it("no server at all is said after a few tries", async () => {
    await expect(run({ HF_ENDPOINT: "http://127.0.0.1:1" })).rejects.toThrow(/127.0.0.1:1 cannot be reached/);
    expect(pauses).toEqual([1000, 2000]);
  });
});

describe("the disk", () => {
  it("is looked at before anything large is fetched", async () => {
    hub.serve("org/model", SMALL);
    hub.mischief = (_, response, { path }) => {
      if (!path.includes("/tree/")) return false;
      const entries = SMALL.map(listingEntry);
      const lfs = { oid: "0".repeat(64), size: 2 ** 42 };
      sendJson(response, [...entries.slice(0, 2), { ...entries[2], lfs }]);
      return true;
    };
    await expect(run()).rejects.toThrow(InputError);
    await expect(run()).rejects.toThrow(/4\.40 TB are to come, but only .* are free.*HF_HUB_CACHE/);
    expect(hub.fetched).toEqual([]);
  });
});
