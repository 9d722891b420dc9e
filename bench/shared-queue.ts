/** @file Pictures a minute of one built server and of two on one PostgreSQL, in turn, each asked for by so many clients. */
import { join } from "node:path";
import { setTimeout as wait } from "node:timers/promises";
import { TemporaryPostgres } from "../scripts/services/temporary-postgres.ts";
import { type Machine, machine } from "./measure.ts";
import { ObservedServer } from "./soak/observed-server.ts";
import { TemporaryFolder } from "./temporary-folder.ts";

export interface SharedSizes {
  readonly clients: number;
  /** Requests of a round, for each client. */
  readonly jobsEach: number;
  readonly rounds: number;
  /** Of each server. */
  readonly threads: number;
  readonly steps: number;
  readonly model: string | undefined;
}

export interface SharedMeasurement {
  readonly name: "shared-queue";
  readonly sizes: Readonly<Record<string, number | string>>;
  /** Pictures a minute, a number for each round. */
  readonly one: readonly number[];
  readonly two: readonly number[];
  /** Median over rounds. */
  readonly twoToOne: number;
  readonly machine: Machine;
}

export async function benchSharedQueue(sizes: SharedSizes): Promise<SharedMeasurement> {
  const { clients, jobsEach, rounds, threads, steps, model } = sizes;
  await using folder = await TemporaryFolder.create();
  await using postgres = await TemporaryPostgres.start();
  const args = [
    ...["--store", join(folder.path, "store"), "--threads", `${threads}`],
    ...(model === undefined ? [] : ["--model", model]),
  ];
  const start = () => ObservedServer.start(args, { DATABASE_URL: postgres.url });
  const rates = { one: [] as number[], two: [] as number[] };
  for (let round = 0; round < rounds; round++) {
    await using first = await start();
    await ready(first);
    rates.one.push(await rate([first.url], sizes));
    await using second = await start();
    await ready(second);
    rates.two.push(await rate([first.url, second.url], sizes));
  }
  const ratios = rates.two.map((two, round) => two / (rates.one[round] as number)).sort((a, b) => a - b);
  return {
    name: "shared-queue",
    sizes: { clients, jobsEach, rounds, threads, steps, model: model ?? "default" },
    ...rates,
    twoToOne: Number((ratios[Math.floor(ratios.length / 2)] as number).toPrecision(3)),
    machine: machine(),
  };
}

async function ready({ url }: ObservedServer): Promise<void> {
  while (!(await fetch(`${url}/ready`)).ok) await wait(200);
}

/** Pictures a minute; clients are spread evenly over the servers. */
async function rate(urls: readonly string[], { clients, jobsEach, steps }: SharedSizes): Promise<number> {
  const client = async (number: number, requests: number): Promise<void> => {
    for (let request = 0; request < requests; request++) {
      const answer = await fetch(`${urls[number % urls.length]}/v1/images/generations`, {
        method: "POST",
        headers: { "content-type": "application/json" },
        body: JSON.stringify({ prompt: "a red apple", steps, seed: number * 1000 + request }),
      });
      await answer.arrayBuffer();
      if (!answer.ok) throw new Error(`a request was answered with ${answer.status}`);
    }
  };
  const all = (requests: number) =>
    Promise.all(Array.from({ length: clients }, (_, number) => client(number, requests)));
  await all(1);
  const started = performance.now();
  await all(jobsEach);
  return Number(((60_000 * clients * jobsEach) / (performance.now() - started)).toPrecision(4));
}
