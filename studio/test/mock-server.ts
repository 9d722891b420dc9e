/**
 * @file A stand-in for `nextstep serve` that answers the native routes without a model: for looking at the page while
 * it is built, and for tests of states that the real server does not come into by itself (a thousand pictures, a key,
 * faults). It draws one job after the other, a token every few milliseconds.
 *
 * `npx tsx studio/test/mock-server.ts [--pictures N] [--token-ms N] [--key KEY] [--port N]` serves dist/studio with it.
 */

import { readFile } from "node:fs/promises";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { parseArgs } from "node:util";
import { CELL, type MockPicture, mockPicture, pngOf } from "./mock-pictures.ts";
import { servePage } from "./serve-page.ts";

export interface MockOptions {
  /** Pictures that are there from the beginning. */
  readonly pictures?: number;
  /** Pace of drawing; null: tokens come as {@link MockServer.write} says. */
  readonly tokenMilliseconds?: number | null;
  readonly key?: string;
  readonly port?: number;
  readonly sizes?: readonly string[];
  readonly canEdit?: boolean;
}

interface MockJob {
  readonly id: string;
  status: string;
  readonly created: number;
  started: number | null;
  completed: number | null;
  token: number;
  preview: { number: number; rows: number } | null;
  readonly pictures: string[];
  error: { message: string; type: string; code: string | null; param: null } | null;
  readonly prompt: string;
  readonly n: number;
  readonly seed: number;
  readonly width: number;
  readonly height: number;
  readonly body: Readonly<Record<string, unknown>>;
}

interface MockEntry {
  readonly json: Readonly<Record<string, unknown>>;
  readonly picture: MockPicture;
}

const DEFAULTS = { cfg: 2.5, steps: 16, sampler: "sde", negative: "", cfg_img: 1 };
const SAMPLERS = ["v1", "euler", "heun", "sde", "cps"];
const MAX_BODY = 64 * 1024 * 1024;

class Refusal extends Error {
  constructor(
    readonly status: number,
    message: string,
    readonly code: string | null = null,
  ) {
    super(message);
  }
}

export class MockServer implements AsyncDisposable {
  readonly jobs = new Map<string, MockJob>();
  readonly entries = new Map<string, MockEntry>();
  readonly blobs = new Map<string, Buffer>();
  /** Bodies of the jobs that were asked for, for tests to look at. */
  readonly asked: Readonly<Record<string, unknown>>[] = [];
  /** The next job fails with these words. */
  failNext: string | undefined;
  private order: string[] = [];
  private count = 0;
  private port = 0;
  private readonly server: Server;
  private readonly watchers = new Set<() => void>();
  private timer: NodeJS.Timeout | undefined;

  private constructor(
    private readonly options: MockOptions,
    private readonly trained: { readonly subjects: readonly string[]; readonly words: readonly string[] },
  ) {
    this.server = createServer((request, response) => {
      this.answer(request, response).catch((error: unknown) => {
        const status = error instanceof Refusal ? error.status : 500;
        const code = error instanceof Refusal ? error.code : null;
        if (response.headersSent) response.destroy();
        else
          send(response, status, {
            error: { message: (error as Error).message, type: "invalid_request_error", code, param: null },
          });
      });
    });
    for (let at = 0; at < (options.pictures ?? 0); at++) {
      const subject = trained.subjects[at % trained.subjects.length] ?? "dog";
      this.addPicture(`job-before-${at}`, `a ${subject}`, at, 128, 128, {}, 1_700_000_000 + 60 * at);
    }
  }

  static async start(options: MockOptions = {}): Promise<MockServer> {
    const config = new URL("../../models/default/nextstep.json", import.meta.url);
    const { trained } = JSON.parse(await readFile(config, "utf8")) as {
      trained: { subjects: string[]; words: string[] };
    };
    const mock = new MockServer(options, trained);
    await new Promise<void>((resolve) => mock.server.listen(options.port ?? 0, "127.0.0.1", resolve));
    mock.port = (mock.server.address() as AddressInfo).port;
    return mock;
  }

  get url(): string {
    return `http://127.0.0.1:${this.port}`;
  }

  /** Ends as if it were killed; what it knew is there when it is {@link restart}ed. */
  async kill(): Promise<void> {
    this.server.closeAllConnections();
    await new Promise((resolve) => this.server.close(resolve));
    this.watchers.clear();
  }

  /** Listens again, on the same port. */
  restart(): Promise<void> {
    return new Promise((resolve) => this.server.listen(this.port, "127.0.0.1", resolve));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    clearTimeout(this.timer);
    await this.kill();
  }

  private async answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const url = new URL(request.url ?? "/", this.url);
    const method = request.method ?? "GET";
    const [first, ...rest] = url.pathname.split("/").filter(Boolean);
    if (first !== "v1" && first !== "capabilities") return servePage(url.pathname, response);
    const [kind, id = "", deed] = rest;
    // As if these addresses were signed.
    if (kind === "images") return this.image(id, deed, response);
    if (first === "capabilities") return send(response, 200, this.capabilities());
    const looked = kind === "jobs" && deed === "preview" ? this.jobs.get(id) : undefined;
    if (looked !== undefined) return this.preview(looked, Number(rest[3]), response);
    const { key } = this.options;
    if (key !== undefined && request.headers.authorization !== `Bearer ${key}`) {
      throw new Refusal(401, "this server needs an API key", "invalid_api_key");
    }
    if (kind === "uploads" && method === "POST") return this.upload(request, response);
    if (kind === "gallery") return this.gallery(method, id, url, response);
    if (kind !== "jobs") throw new Refusal(404, `there is no ${url.pathname}`);
    if (id === "" && method === "POST") return this.submit(await readJson(request), response);
    if (id === "") return this.list(url, response);
    const job = this.jobs.get(id);
    if (job === undefined) throw new Refusal(404, `there is no job ${id}`, "job_not_found");
    if (deed === "events") return this.events(job, response);
    if (deed === "cancel" || (deed === undefined && method === "DELETE")) this.end(job, "cancelled");
    if (deed === "move") this.move(job, ((await readJson(request)).before ?? null) as string | null);
    send(response, 200, this.jobJson(job));
  }

  private capabilities(): unknown {
    const sizes = this.options.sizes ?? ["128x128"];
    return {
      model: "nextstep-default",
      size: sizes[0],
      token_side: CELL,
      sizes,
      ...this.trained,
      samplers: SAMPLERS,
      adapters: ["my-mug"],
      defaults: { drawing: DEFAULTS, editing: DEFAULTS },
      limits: { max_n: 10, max_pixels: 1 << 20 },
      abilities: { edit: this.options.canEdit ?? true, think: false },
      needs_key: this.options.key !== undefined,
      version: "0.1.0",
    };
  }

  private submit(asked: Readonly<Record<string, unknown>>, response: ServerResponse): void {
    const body = { ...this.repeated(asked), ...asked };
    if (typeof body.prompt !== "string" || body.prompt === "") throw new Refusal(400, "prompt: is empty");
    this.asked.push(asked);
    const [width = 128, height = 128] = String(body.size ?? "128x128")
      .split("x")
      .map(Number);
    const id = `job-${++this.count}`;
    const job: MockJob = {
      id,
      status: "queued",
      created: Date.now() / 1000,
      started: null,
      completed: null,
      token: 0,
      preview: null,
      pictures: [],
      error: null,
      prompt: body.prompt,
      n: Number(body.n ?? 1),
      seed: Number(body.seed ?? 0),
      width,
      height,
      body,
    };
    this.jobs.set(id, job);
    this.order.push(id);
    this.wake();
    send(response, 202, this.jobJson(job));
  }

  /** What a picture that is repeated was drawn from. */
  private repeated({ repeat }: Readonly<Record<string, unknown>>): Readonly<Record<string, unknown>> {
    const { picture } = (repeat ?? {}) as { readonly picture?: string };
    if (picture === undefined) return {};
    const entry = this.entries.get(picture);
    if (entry === undefined) throw new Refusal(404, `there is no picture ${picture}`, "picture_not_found");
    const { prompt, width, height, seed, settings } = entry.json;
    return { prompt, seed, size: `${width}x${height}`, ...(settings as Record<string, unknown>) };
  }

  private list(url: URL, response: ServerResponse): void {
    const statuses = url.searchParams.get("status")?.split(",");
    const jobs = [...this.jobs.values()].filter(({ status }) => statuses?.includes(status) ?? true);
    send(response, 200, { object: "list", data: jobs.map((job) => this.jobJson(job)), has_more: false });
  }

  private events(job: MockJob, response: ServerResponse): void {
    response.writeHead(200, { "content-type": "text/event-stream", "cache-control": "no-store" });
    const tell = (): void => {
      response.write(`event: job\ndata: ${JSON.stringify(this.jobJson(job))}\n\n`);
      if (job.completed !== null) {
        response.end();
        this.watchers.delete(tell);
      }
    };
    this.watchers.add(tell);
    response.on("close", () => this.watchers.delete(tell));
    tell();
  }

  private async preview(job: MockJob, index: number, response: ServerResponse): Promise<void> {
    if (job.preview === null) throw new Refusal(404, "there is no preview yet");
    const picture = mockPicture(job.prompt, job.seed + index, job.width, job.height);
    sendPng(response, await pngOf(picture, job.preview.rows), "no-store");
  }

  private gallery(method: string, id: string, url: URL, response: ServerResponse): void {
    if (id !== "") {
      const entry = this.entries.get(id);
      if (entry === undefined) throw new Refusal(404, `there is no picture ${id}`, "picture_not_found");
      if (method === "DELETE") this.entries.delete(id);
      send(response, 200, entry.json);
      return;
    }
    const limit = Number(url.searchParams.get("limit") ?? 50);
    const before = url.searchParams.get("before");
    const all = [...this.entries.keys()].reverse();
    const from = before === null ? 0 : all.indexOf(before) + 1;
    const data = all.slice(from, from + limit).map((name) => this.entries.get(name)?.json);
    send(response, 200, { object: "list", data, has_more: from + limit < all.length });
  }

  private async image(id: string, kind: string | undefined, response: ServerResponse): Promise<void> {
    const entry = this.entries.get(id);
    if (entry === undefined || kind === undefined) throw new Refusal(404, `there is no picture ${id}`);
    sendPng(response, await pngOf(entry.picture), "public, max-age=31536000, immutable");
  }

  private async upload(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const form = await new Response(await readBody(request), {
      headers: { "content-type": request.headers["content-type"] ?? "" },
    }).formData();
    const file = form.get("file");
    if (!(file instanceof Blob)) throw new Refusal(400, "file: is missing");
    const bytes = Buffer.from(await file.arrayBuffer());
    if (bytes.toString("latin1", 1, 4) !== "PNG")
      throw new Refusal(400, "file: is no picture that can be read");
    const blob = `blob-${this.blobs.size}`;
    this.blobs.set(blob, bytes);
    const known = /nextstep-mock:(\S+)/.exec(bytes.toString("latin1"))?.[1];
    const entry = known === undefined ? undefined : this.entries.get(known);
    send(response, 200, {
      blob,
      width: bytes.readUInt32BE(16),
      height: bytes.readUInt32BE(20),
      recipe: entry?.json.recipe ?? null,
      ...(known === undefined ? {} : { recipe_picture: known }),
    });
  }

  private move(job: MockJob, before: string | null): void {
    if (job.status !== "queued") throw new Refusal(409, "the job is not waiting");
    this.order = this.order.filter((id) => id !== job.id);
    const at = before === null ? -1 : this.order.indexOf(before);
    this.order.splice(at < 0 ? this.order.length : at, 0, job.id);
    this.tell();
  }

  private end(job: MockJob, status: "finished" | "failed" | "cancelled"): void {
    if (job.completed !== null) return;
    job.status = status;
    job.completed = Date.now() / 1000;
    this.order = this.order.filter((id) => id !== job.id);
    this.tell();
  }

  /** Draws so many tokens now; the first of a job begins it. */
  write(tokens: number): void {
    for (let at = 0; at < tokens; at++) this.step();
  }

  private wake(): void {
    if (this.options.tokenMilliseconds === null) return;
    this.timer ??= setTimeout(() => {
      this.timer = undefined;
      this.step();
    }, this.options.tokenMilliseconds ?? 20);
  }

  /** One token of the job in front. */
  private step(): void {
    const job = this.jobs.get(this.order[0] ?? "");
    if (job === undefined) return;
    const columns = Math.ceil(job.width / CELL);
    const rows = Math.ceil(job.height / CELL);
    if (job.status === "queued") {
      job.status = "drawing";
      job.started = Date.now() / 1000;
      const { from } = job.body as { from?: { rows: number } };
      job.token = (from?.rows ?? 0) * columns;
    } else if (this.failNext !== undefined) {
      job.error = { message: this.failNext, type: "server_error", code: null, param: null };
      this.failNext = undefined;
      this.end(job, "failed");
    } else {
      job.token++;
      const whole = Math.floor(job.token / columns);
      if (whole > (job.preview?.rows ?? 0))
        job.preview = { number: (job.preview?.number ?? 0) + 1, rows: whole };
      if (job.token >= columns * rows) {
        for (let at = 0; at < job.n; at++) {
          const { settings } = this.settingsOf(job);
          job.pictures.push(
            this.addPicture(
              job.id,
              job.prompt,
              job.seed + at,
              job.width,
              job.height,
              settings,
              Date.now() / 1000,
            ),
          );
        }
        this.end(job, "finished");
      }
    }
    this.tell();
    if (this.order.length > 0) this.wake();
  }

  private settingsOf({ body }: MockJob): { settings: Readonly<Record<string, unknown>> } {
    return { settings: Object.fromEntries(Object.entries(body).filter(([name]) => name in DEFAULTS)) };
  }

  private tell(): void {
    for (const tell of [...this.watchers]) tell();
  }

  private addPicture(
    job: string,
    prompt: string,
    seed: number,
    width: number,
    height: number,
    settings: Readonly<Record<string, unknown>>,
    created: number,
  ): string {
    const id = `picture-${this.entries.size}-${seed}`;
    const own = { ...DEFAULTS, ...settings };
    const json = {
      id,
      job,
      created,
      width,
      height,
      native_size: `${width}x${height}`,
      prompt,
      seed,
      settings: own,
      notes: [],
      task: "generation",
      url: `/v1/images/${id}/content`,
      thumbnail_url: `/v1/images/${id}/thumbnail`,
      bytes: 2048,
      recipe: { version: 3, model: "nextstep-default", prompt, seed, width, height, settings: own },
    };
    this.entries.set(id, { json, picture: mockPicture(prompt, seed, width, height) });
    return id;
  }

  private jobJson(job: MockJob): unknown {
    const columns = Math.ceil(job.width / CELL);
    const rows = Math.ceil(job.height / CELL);
    const of = columns * rows;
    const { id, status, created, started, completed, error, prompt, n, seed, width, height, preview } = job;
    return {
      id,
      object: "job",
      kind: "generation",
      status,
      created,
      started,
      completed,
      queue_position: status === "queued" ? this.order.indexOf(id) - (this.isDrawing() ? 1 : 0) : null,
      progress:
        started === null
          ? null
          : {
              token: job.token,
              of,
              rows: Math.floor(job.token / columns),
              of_rows: rows,
              seconds_left: ((of - job.token) * (this.options.tokenMilliseconds ?? 20)) / 1000,
            },
      preview: preview && {
        ...preview,
        urls: Array.from({ length: n }, (_, at) => `/v1/jobs/${id}/preview/${at}`),
      },
      pictures: job.pictures.map((name) => this.entries.get(name)?.json),
      error,
      request: {
        prompt,
        n,
        seed,
        size: `${width}x${height}`,
        native_size: `${width}x${height}`,
        settings: {},
        images: [],
      },
    };
  }

  private isDrawing(): boolean {
    return [...this.jobs.values()].some(({ status }) => status === "drawing");
  }
}

function send(response: ServerResponse, status: number, json: unknown): void {
  response.writeHead(status, { "content-type": "application/json" }).end(JSON.stringify(json));
}

function sendPng(response: ServerResponse, bytes: Buffer, cache: string): void {
  response.writeHead(200, { "content-type": "image/png", "cache-control": cache }).end(bytes);
}

async function readBody(request: IncomingMessage): Promise<Buffer<ArrayBuffer>> {
  const parts: Buffer[] = [];
  let length = 0;
  for await (const part of request as AsyncIterable<Buffer>) {
    length += part.length;
    if (length > MAX_BODY) throw new Refusal(413, "the body is too large");
    parts.push(part);
  }
  return Buffer.concat(parts);
}

async function readJson(request: IncomingMessage): Promise<Readonly<Record<string, unknown>>> {
  return JSON.parse((await readBody(request)).toString("utf8"));
}

if (import.meta.url === `file://${process.argv[1]}`) {
  const { values } = parseArgs({
    options: {
      pictures: { type: "string", default: "24" },
      "token-ms": { type: "string", default: "60" },
      port: { type: "string", default: "8010" },
      key: { type: "string" },
    },
  });
  const mock = await MockServer.start({
    pictures: Number(values.pictures),
    tokenMilliseconds: Number(values["token-ms"]),
    port: Number(values.port),
    ...(values.key === undefined ? {} : { key: values.key }),
  });
  process.stdout.write(`listening on ${mock.url}\n`);
}
