/** @file SIGKILL of servers under the load of several clients, and what has become of all that they had accepted. */
import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as wait } from "node:timers/promises";
import type { Database } from "../../src/serve/queue/database.ts";
import { EmbeddedDatabase } from "../../src/serve/queue/embedded-database.ts";
import { SharedDatabase } from "../../src/serve/queue/shared-database.ts";
import { TemporaryPostgres } from "../services/temporary-postgres.ts";
import { badFailure } from "./command.ts";
import { pause } from "./moment.ts";
import type { Scenario, Trials } from "./scenario.ts";
import { checkServed, checkStore } from "./serve-checks.ts";
import { startClients } from "./serve-clients.ts";
import { type ListedPicture, listAll, pictureDigest, pictureKey, requestOf, WISHES } from "./serve-wishes.ts";
import { type ServerPlace, ServerProcess } from "./server-process.ts";

const CLIENTS = 5;
const WORKERS = 3;
/** A server is left alone for so long at most. */
const LIFE_MS = 6000;
/** It takes some seconds to open queue and model. */
const START_MS = 3000;
/** Around the moment of an event. */
const EVENT_MS = 30;
/** For all that was accepted to come to its end. */
const REST_MS = 240_000;

const MOMENTS = ["job accepted", "claimed", "finished", "any time", "while it starts"] as const;

/** A group of servers on one queue. */
interface Group {
  readonly place: ServerPlace;
  readonly processes: number;
  openDatabase(): Promise<Database>;
}

async function killServe(trials: Trials): Promise<void> {
  const place = { store: join(trials.folder, "store"), model: trials.workshop.drawingModel };
  const openDatabase = (): Promise<Database> => EmbeddedDatabase.open(join(place.store, "queue"));
  await killGroup(trials, { place, processes: 1, openDatabase });
}

async function killServers(trials: Trials): Promise<void> {
  await using postgres = await TemporaryPostgres.start().catch((error: unknown) => {
    trials.note(`left out: ${error instanceof Error ? error.message : String(error)}`);
    return undefined;
  });
  if (postgres === undefined) return;
  const store = join(trials.folder, "store");
  const place = { store, model: trials.workshop.drawingModel, databaseUrl: postgres.url };
  const openDatabase = (): Promise<Database> => SharedDatabase.open(postgres.url);
  await killGroup(trials, { place, processes: WORKERS, openDatabase });
}

async function killGroup(trials: Trials, { place, processes, openDatabase }: Group): Promise<void> {
  const whole = await undisturbed(trials);
  await mkdir(place.store, { recursive: true });
  const servers = Array.from({ length: processes }, () => new LivingServer(place));
  const urlOf = (): string | undefined => {
    const urls = servers.flatMap(({ url }) => (url === undefined ? [] : [url]));
    return urls.length === 0 ? undefined : trials.pick(urls);
  };
  const clients = startClients(CLIENTS, trials.rng, urlOf);
  let moment: (typeof MOMENTS)[number] | undefined;
  for (let kill = 0; kill < trials.count; kill++) {
    // A job that was lost is claimed first: killed again and again at that, it would be taken for what ends the servers.
    const last = moment;
    moment = trials.pick(MOMENTS.filter((one) => one !== last));
    await trials.pick(servers).killAt(moment, (most) => trials.rng.below(most));
    trials.outcome(`killed: ${moment}`);
    trials.next();
  }
  await clients.stop();
  const url = await servers[0]!.reached();
  const started = performance.now();
  while (!(await isIdle(url)) && performance.now() - started < REST_MS) await wait(500);
  const { lost, outcomes } = await checkServed(url, clients.promises, whole);
  for (const text of lost) trials.lost(text);
  for (const [kind, count] of Object.entries(outcomes)) trials.outcome(kind, count);
  for (const server of servers) {
    const bad = badFailure(await server.stop(), [0]);
    if (bad !== undefined) trials.lost(`asked to end: ${bad}`);
  }
  await using database = await openDatabase();
  for (const text of await checkStore(place.store, database)) trials.lost(text);
}

/** A server that is started again whenever it was killed. */
class LivingServer {
  readonly #place: ServerPlace;
  #process: ServerProcess;
  /** While it listens. */
  url: string | undefined;

  constructor(place: ServerPlace) {
    this.#place = place;
    this.#process = this.#start();
  }

  async killAt(moment: (typeof MOMENTS)[number], below: (most: number) => number): Promise<void> {
    const isStarting = moment === "while it starts";
    if (!isStarting) {
      await this.reached();
      await pause(below, LIFE_MS);
      if (moment !== "any time") {
        await Promise.race([this.#process.says(moment), wait(LIFE_MS)]);
        await pause(below, EVENT_MS);
      }
    }
    await this.#killNow();
    if (!isStarting) return;
    await pause(below, START_MS);
    await this.#killNow();
  }

  /** Its address, as soon as it has one. @throws Error if it ends before. */
  async reached(): Promise<string> {
    const url = await this.#process.listening;
    if (url !== undefined) return url;
    const { err } = await this.#process.ended;
    throw new Error(`the server does not start: ${err.slice(-2000)}`);
  }

  stop(): ReturnType<ServerProcess["stop"]> {
    return this.#process.stop();
  }

  async #killNow(): Promise<void> {
    this.url = undefined;
    await this.#process.kill();
    this.#process = this.#start();
  }

  #start(): ServerProcess {
    const process = new ServerProcess(this.#place);
    void process.listening.then((url) => {
      if (this.#process === process) this.url = url;
    });
    return process;
  }
}

async function isIdle(url: string): Promise<boolean> {
  const answer = await fetch(`${url}/v1/jobs?status=queued,drawing&limit=1`);
  const { data }: { readonly data: readonly unknown[] } = JSON.parse(await answer.text());
  return data.length === 0;
}

/** Digests of the pictures of all wishes, drawn one after the other by a server that is left alone. */
async function undisturbed({ folder, workshop }: Trials): Promise<ReadonlyMap<string, string>> {
  const server = new ServerProcess({ store: join(folder, "undisturbed"), model: workshop.drawingModel });
  const url = await server.listening;
  if (url === undefined) throw new Error(`the server does not start: ${(await server.ended).err}`);
  for (const wish of WISHES) {
    const answer = await fetch(`${url}${wish.path}`, await requestOf(wish, undefined));
    await answer.text();
    while (!(await isIdle(url))) await wait(100);
  }
  const digests = new Map<string, string>();
  for (const picture of await listAll<ListedPicture>(url, "/v1/gallery")) {
    digests.set(pictureKey(picture), await pictureDigest(url, picture));
  }
  await server.stop();
  const wanted = WISHES.reduce((sum, { fails, count }) => sum + (fails ? 0 : count), 0);
  if (digests.size !== wanted) throw new Error(`undisturbed, ${digests.size} pictures came of ${wanted}`);
  return digests;
}

export const killServeScenario: Scenario = {
  name: "kill-serve",
  about: "SIGKILL of a server with clients that wait, stream, poll, cancel and leave",
  trials: (count) => Math.ceil(0.4 * count),
  run: killServe,
};

export const killServersScenario: Scenario = {
  name: "kill-servers",
  about: "the same with three servers on one PostgreSQL, where one is installed",
  trials: (count) => Math.ceil(0.4 * count),
  run: killServers,
};
