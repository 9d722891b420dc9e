/** @file A hub on this machine, for tests: it answers as the real one does, and misbehaves as told. */
import { createCipheriv, createHash } from "node:crypto";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";

export interface ServedFile {
  readonly path: string;
  readonly bytes: Uint8Array;
  /** Large files are stored apart and named by SHA-256. */
  readonly large?: boolean;
}

export interface Seen {
  readonly path: string;
  readonly range: string | undefined;
  readonly authorization: string | undefined;
  readonly host: string;
}

/** Answers in place of the hub; false to leave it to the hub. */
export type Mischief = (
  request: IncomingMessage,
  response: ServerResponse,
  seen: Seen,
) => boolean | Promise<boolean>;

export function gitSha1(bytes: Uint8Array): string {
  return createHash("sha1").update(`blob ${bytes.length}\0`).update(bytes).digest("hex");
}

export function sha256(bytes: Uint8Array): string {
  return createHash("sha256").update(bytes).digest("hex");
}

/** Bytes that are not the same anywhere. */
export function noiseBytes(length: number, seed = 1): Uint8Array {
  return createCipheriv("aes-128-ctr", Buffer.alloc(16, seed), Buffer.alloc(16)).update(Buffer.alloc(length));
}

export class TestHub implements AsyncDisposable {
  readonly endpoint: string;
  readonly seen: Seen[] = [];
  mischief: Mischief = () => false;
  /** Of one page of a listing. */
  pageFiles = 1000;
  readonly #server: Server;
  readonly #repositories = new Map<string, { commit: string; files: readonly ServedFile[] }>();

  private constructor(server: Server) {
    this.#server = server;
    this.endpoint = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
    server.on("request", (request, response) => void this.#answer(request, response));
  }

  static async start(): Promise<TestHub> {
    const server = createServer();
    await new Promise<void>((done) => server.listen(0, "127.0.0.1", done));
    return new TestHub(server);
  }

  /** Serves `files` as the newest commit of a repository; returns the commit. */
  serve(repository: string, files: readonly ServedFile[]): string {
    const names = files.map(({ path, bytes }) => `${path} ${sha256(bytes)}`).join("\n");
    const commit = createHash("sha1").update(names).digest("hex");
    this.#repositories.set(repository, { commit, files });
    this.#repositories.set(`${repository}@${commit}`, { commit, files });
    return commit;
  }

  /** Paths of files that were asked for. */
  get fetched(): string[] {
    return this.seen
      .filter(({ path }) => path.includes("/resolve/"))
      .map(({ path }) => path.replace(/.*\/resolve\/[^/]+\//, ""));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise((done) => this.#server.close(done));
  }

  async #answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const url = new URL(request.url ?? "/", this.endpoint);
    const { range, authorization, host = "" } = request.headers;
    const seen = { path: decodeURIComponent(url.pathname), range, authorization, host };
    this.seen.push(seen);
    if (await this.mischief(request, response, seen)) return;
    const api = /^\/api\/models\/([^/]+\/[^/]+)\/(revision|tree)\/(.+)$/.exec(seen.path);
    if (api !== null) {
      this.#describe(api, url, response);
      return;
    }
    const file = /^\/([^/]+\/[^/]+)\/resolve\/([^/]+)\/(.+)$/.exec(seen.path);
    const [, repository = "", revision = "", path] = file ?? [];
    const found = this.#find(repository, revision);
    const served = found?.files.find((one) => one.path === path);
    if (found === undefined || served === undefined) {
      response.writeHead(404, { "x-error-code": "EntryNotFound" }).end();
      return;
    }
    const digest = served.large === true ? sha256(served.bytes) : gitSha1(served.bytes);
    const headers = {
      "x-repo-commit": found.commit,
      etag: `"${digest}"`,
      ...(served.large === true
        ? { "x-linked-etag": `"${digest}"`, "x-linked-size": served.bytes.length }
        : {}),
    };
    sendBytes(
      response,
      served.bytes,
      request.method === "HEAD" ? undefined : range,
      headers,
      request.method === "HEAD",
    );
  }

  #find(repository: string, revision: string): { commit: string; files: readonly ServedFile[] } | undefined {
    return this.#repositories.get(revision === "main" ? repository : `${repository}@${revision}`);
  }

  #describe(
    [, repository = "", kind, revision = ""]: readonly string[],
    url: URL,
    response: ServerResponse,
  ): void {
    const found = this.#find(repository, revision);
    if (found === undefined) {
      const isKnown = this.#repositories.has(repository);
      response.writeHead(404, { "x-error-code": isKnown ? "RevisionNotFound" : "RepoNotFound" }).end();
      return;
    }
    if (kind === "revision") {
      const siblings = found.files.map(({ path }) => ({ rfilename: path }));
      sendJson(response, {
        id: repository,
        modelId: repository,
        sha: found.commit,
        private: false,
        tags: [],
        downloads: 0,
        likes: 0,
        siblings,
      });
      return;
    }
    const start = Number(url.searchParams.get("cursor") ?? 0);
    const entries = found.files.slice(start, start + this.pageFiles).map(listingEntry);
    const next = start + this.pageFiles;
    const link = `<${url.origin}${url.pathname}?recursive=true&cursor=${next}>; rel="next"`;
    sendJson(response, entries, next < found.files.length ? { link } : {});
  }
}

export function listingEntry({ path, bytes, large }: ServedFile): Record<string, unknown> {
  const lfs = { oid: sha256(bytes), size: bytes.length, pointerSize: 134 };
  return { type: "file", path, size: bytes.length, oid: gitSha1(bytes), ...(large === true ? { lfs } : {}) };
}

export function sendJson(
  response: ServerResponse,
  json: unknown,
  headers: Record<string, string> = {},
): void {
  response.writeHead(200, { "content-type": "application/json", ...headers }).end(JSON.stringify(json));
}

/** Sends the part that `range` names, or all. */
export function sendBytes(
  response: ServerResponse,
  bytes: Uint8Array,
  range: string | undefined,
  headers: Record<string, string | number> = {},
  headersOnly = false,
): void {
  const match = /^bytes=(\d+)-(\d+)$/.exec(range ?? "");
  const [start, end] = match === null ? [0, bytes.length] : [Number(match[1]), Number(match[2]) + 1];
  const part = bytes.subarray(start, end);
  const place =
    match === null ? {} : { "content-range": `bytes ${start}-${start + part.length - 1}/${bytes.length}` };
  response.writeHead(match === null ? 200 : 206, { "content-length": part.length, ...place, ...headers });
  if (headersOnly) response.end();
  else response.end(part);
}
