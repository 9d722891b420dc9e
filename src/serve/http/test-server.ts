/** @file A server of tests on a port of its own, over the rooms in memory. */
import { publishedSettings } from "../../generate/settings.ts";
import type { ServedModel } from "../contract/served-model.ts";
import { SizePolicy } from "../contract/size-policy.ts";
import { ApiKeys } from "./api-keys.ts";
import { DEFAULT_LIMITS, type ServerLimits } from "./limits.ts";
import { PageFiles } from "./page-files.ts";
import { serverLog } from "./server-log.ts";
import { ServerMetrics } from "./server-metrics.ts";
import type { ServerParts } from "./server-parts.ts";
import { ServerState } from "./server-state.ts";
import { type SiteOptions, SiteRules } from "./site-rules.ts";
import { startServer } from "./start-server.ts";
import { MemoryGallery, MemoryQueue, MemoryStore } from "./test-rooms.ts";
import { TestWorker } from "./test-worker.ts";

export const TEST_MODEL: ServedModel = {
  id: "square",
  aliases: ["gpt-image-1", "dall-e-3", "dall-e-2"],
  created: 1_700_000_000,
  tokenSide: 16,
  defaults: { drawing: publishedSettings("v1.1", false), editing: publishedSettings("v1.1", true) },
  size: { width: 64, height: 64 },
  trained: {
    sizes: [
      [64, 64],
      [96, 64],
    ],
    subjects: ["ship", "apple"],
  },
  abilities: { edit: true, think: false },
};

export interface TestServerOptions {
  readonly model?: Partial<ServedModel>;
  readonly limits?: Partial<ServerLimits>;
  readonly site?: Partial<SiteOptions>;
  /** As in a key file. */
  readonly keys?: string;
  readonly strictSizes?: boolean;
  /** Milliseconds for a row of tokens; null: nobody draws. */
  readonly rowMs?: number | null;
  readonly pageFolder?: string;
  /** Another server, whose queue, gallery and store it shares. */
  readonly beside?: TestServer;
}

export interface TestServer extends AsyncDisposable {
  readonly url: string;
  readonly port: number;
  readonly parts: ServerParts;
  readonly queue: MemoryQueue;
  readonly gallery: MemoryGallery;
  readonly store: MemoryStore;
  readonly worker: TestWorker | undefined;
  /** Lines of its log. */
  readonly lines: string[];
  /** Sends JSON. */
  post(path: string, body: unknown, headers?: Record<string, string>): Promise<Response>;
  get(path: string, headers?: Record<string, string>): Promise<Response>;
}

export async function startTestServer(options: TestServerOptions = {}): Promise<TestServer> {
  const gallery = options.beside?.gallery ?? new MemoryGallery();
  const store = options.beside?.store ?? new MemoryStore();
  const queue = options.beside?.queue ?? new MemoryQueue(gallery);
  const { rowMs = 0 } = options;
  const worker = rowMs === null ? undefined : new TestWorker(queue, store, rowMs);
  const model = { ...TEST_MODEL, ...options.model };
  const lines: string[] = [];
  const state = new ServerState();
  state.ready();
  const parts: ServerParts = {
    model,
    sizes: new SizePolicy(model, { strict: options.strictSizes ?? false }),
    queue,
    gallery,
    store,
    limits: { ...DEFAULT_LIMITS, ...options.limits },
    keys: options.keys === undefined ? ApiKeys.none : ApiKeys.parse(options.keys, "test keys"),
    site: new SiteRules({ host: "127.0.0.1", ...options.site }),
    state,
    log: serverLog({ write: (line) => lines.push(line) }, "json"),
    metrics: new ServerMetrics(model.id),
    version: "0.0.0",
    maxQueued: queue.maxQueued,
    page: options.pageFolder === undefined ? PageFiles.none : await PageFiles.load(options.pageFolder),
  };
  const server = await startServer(parts, { host: "127.0.0.1", port: 0 });
  const { url, port } = server;
  return {
    url,
    port,
    parts,
    queue,
    gallery,
    store,
    worker,
    lines,
    post: (path, body, headers = {}) =>
      fetch(`${url}${path}`, {
        method: "POST",
        headers: { "content-type": "application/json", ...headers },
        body: typeof body === "string" ? body : JSON.stringify(body),
      }),
    get: (path, headers = {}) => fetch(`${url}${path}`, { headers }),
    async [Symbol.asyncDispose]() {
      state.stop();
      await server[Symbol.asyncDispose]();
      await worker?.[Symbol.asyncDispose]();
    },
  };
}
