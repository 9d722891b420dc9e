/** @file `nextstep serve` and `nextstep studio`: puts store, queue, worker and doors together, and takes them apart in order. */
import { hostname } from "node:os";
import { join } from "node:path";
import { type NextStepError, typedError } from "../errors.ts";
import type { Model } from "../generate/model.ts";
import { packageRoot, packageVersion } from "../node/package-root.ts";
import { SizePolicy } from "../serve/contract/size-policy.ts";
import { createWorker } from "../serve/draw/worker.ts";
import { countedQueue } from "../serve/http/counted-queue.ts";
import { DEFAULT_LIMITS } from "../serve/http/limits.ts";
import { PageFiles } from "../serve/http/page-files.ts";
import { type ServerLog, serverLog } from "../serve/http/server-log.ts";
import { ServerMetrics } from "../serve/http/server-metrics.ts";
import { ServerState } from "../serve/http/server-state.ts";
import { isLoopback, SiteRules } from "../serve/http/site-rules.ts";
import { startServer } from "../serve/http/start-server.ts";
import { openQueue } from "../serve/queue/open-queue.ts";
import { openStore } from "../serve/store/open-store.ts";
import { dataFolder } from "./data-folder.ts";
import { GatedDesk } from "./gated-desk.ts";
import { openPage } from "./open-page.ts";
import { OpenedModels } from "./opened-models.ts";
import { readKeys } from "./serve-keys.ts";
import type { ServeCommandOptions } from "./serve-options.ts";
import { servedModel } from "./served-model.ts";
import type { Terminal } from "./terminal.ts";
import { logWorkerEvent } from "./worker-log.ts";

const GIGABYTE = 1e9;
const DAY_SECONDS = 24 * 3600;

/**
 * Serves until the terminal's signal fires, then finishes what is being drawn, or parks it for the next start.
 * @throws InputError in one line for a port that is taken, a store that cannot be written or is another server's, and keys
 * that are none.
 */
export async function runServe(
  options: ServeCommandOptions,
  { opensPage }: { readonly opensPage: boolean },
  terminal: Terminal,
): Promise<void> {
  const { environment, signal, out, err } = terminal;
  const began = performance.now();
  const log = serverLog(err, options.log);
  const keys = await readKeys(options.apiKeyFile, environment);
  const site = new SiteRules({
    host: options.host,
    ...(options.publicUrl === undefined ? {} : { publicUrl: options.publicUrl }),
    ...(options.cors === undefined ? {} : { corsOrigins: options.cors }),
  });
  if (!isLoopback(options.host) && !keys.needed) {
    log.write("warning", "no keys are set: whoever reaches this address may draw", { host: options.host });
  }
  await using models = new OpenedModels(options, terminal);
  const model = await models.first();
  if (signal.aborted) return;
  const served = servedModel(model, {
    aliases: options.aliases,
    created: Math.floor(Date.now() / 1000),
  });
  const metrics = new ServerMetrics(served.id);
  metrics.model.watch(() => models.latest?.load);
  models.onWork = (work) => metrics.model.worked(work);
  const state = new ServerState();

  const own = join(dataFolder(environment), "serve");
  const folder = options.store ?? own;
  await using store = await openStore(folder);
  await using opened = await openQueue(
    environment.DATABASE_URL === undefined || environment.DATABASE_URL === ""
      ? { folder: join(folder.startsWith("s3://") ? own : folder, "queue") }
      : { databaseUrl: environment.DATABASE_URL },
    {
      blobs: store,
      maxQueued: options.maxQueued,
      retention: {
        ...(options.keepDays === undefined ? {} : { seconds: options.keepDays * DAY_SECONDS }),
        ...(options.keepGb === undefined ? {} : { bytes: options.keepGb * GIGABYTE }),
      },
      onFault: (error) => log.write("error", "housekeeping failed", { error: error.message }),
    },
  );
  // A queue that is opened for the first time takes seconds, which a service manager need not wait for in vain.
  if (signal.aborted) return;
  const { gallery } = opened;
  const queue = countedQueue(opened, metrics);
  const desk = new GatedDesk(queue.desk);
  await using worker = createWorker({
    name: `${hostname()}-${process.pid}`,
    model: served.id,
    open: () => models.next(),
    desk,
    blobs: store,
    gallery,
    maxBatch: options.maxBatch,
    onEvent: (event) => logWorkerEvent(event, log),
  });
  // Taken apart in front of the worker, which would wait for ever.
  using _gate = desk;
  await using server = await startServer(
    {
      model: served,
      sizes: new SizePolicy(served, {
        strict: options.strictSizes === true,
        ...(options.maxTokensPerImage === undefined ? {} : { maxTokens: options.maxTokensPerImage }),
      }),
      queue,
      gallery,
      store,
      limits: DEFAULT_LIMITS,
      keys,
      site,
      state,
      log,
      metrics,
      version: packageVersion(),
      maxQueued: options.maxQueued,
      page: await PageFiles.load(join(packageRoot(), "dist", "studio")),
    },
    options,
  );
  out.write(`listening on ${server.url}\n`);
  if (opensPage) await showPage(server.url, log);

  const ended = new AbortController();
  const end = (): void => ended.abort();
  signal.addEventListener("abort", end, { once: true });
  if (signal.aborted) end();
  let failure: NextStepError | undefined;
  const warming = warmUp(model, served.tokenSide, ended.signal).then(
    () => {
      metrics.modelLoaded((performance.now() - began) / 1000);
      state.ready();
      desk.open();
      const { cacheLimit } = model.load;
      log.write("info", "ready", { model: served.id, store: folder, cache_bytes: cacheLimit });
    },
    (error: unknown) => {
      if (!ended.signal.aborted) failure = typedError(error);
      desk[Symbol.dispose]();
      end();
    },
  );
  await fired(ended.signal);
  state.drain();
  log.write("info", "draining", { jobs: worker.jobs, seconds: options.drainSeconds });
  await warming;
  await drained(worker, options.drainSeconds);
  state.stop();
  await server.close();
  signal.removeEventListener("abort", end);
  if (failure !== undefined) throw failure;
  log.write("info", "stopped");
}

/** Draws a single token and decodes it, so that all that drawing needs is loaded, and known to work. */
async function warmUp(model: Model, side: number, signal: AbortSignal): Promise<void> {
  // Two steps are the fewest that every sampler can do with.
  const least = { cfg: 1, steps: 2, lastSteps: null, rowLag: null } as const;
  await model.draw("", { ...least, size: { width: side, height: side }, seed: 0, signal });
}

async function showPage(url: string, log: ServerLog): Promise<void> {
  if (!(await openPage(url))) log.write("warning", "no browser was found: open the page yourself", { url });
}

function fired(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve();
    signal.addEventListener("abort", () => resolve(), { once: true });
  });
}

async function drained(
  worker: { drain(signal: AbortSignal): Promise<void> },
  seconds: number,
): Promise<void> {
  const late = new AbortController();
  const timer = setTimeout(() => late.abort(), seconds * 1000);
  try {
    await worker.drain(late.signal);
  } finally {
    clearTimeout(timer);
  }
}
