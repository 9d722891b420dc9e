/** @file The built server under mixed load for a long time: what it holds must not grow, and nobody gets an odd answer. */
import { join } from "node:path";
import { setTimeout as wait } from "node:timers/promises";
import sharp, { type Sharp } from "sharp";
import { type Machine, machine } from "../measure.ts";
import { TemporaryFolder } from "../temporary-folder.ts";
import { mixedClient } from "./mixed-clients.ts";
import { ObservedServer, type ServerLook } from "./observed-server.ts";

export interface SoakSizes {
  readonly minutes: number;
  readonly clients: number;
  readonly threads: number | undefined;
  readonly model: string | undefined;
}

export interface SoakLook extends ServerLook {
  readonly minutes: number;
  /** Answered or cut so far. */
  readonly requests: number;
}

export interface SoakMeasurement {
  readonly name: "soak";
  readonly sizes: Readonly<Record<string, number | string>>;
  /** By kind, then by status; `left`: the client went away first. */
  readonly answers: Readonly<Record<string, Readonly<Record<string, number>>>>;
  /** Answers that should not have been, and lines of standard error that are none of the log. */
  readonly faults: readonly string[];
  readonly looks: readonly SoakLook[];
  /** When all clients have gone. */
  readonly atRest: ServerLook;
  readonly exitCode: number | null;
  readonly machine: Machine;
}

const LOOKS = 30;
/** For what was cut to be cleared away. */
const REST_MS = 10_000;
/** Pixels that are edited. */
const SIDE = 64;
const SEED = 20261129;

/** @param onLook told of each look, as it is taken */
export async function soak(sizes: SoakSizes, onLook: (look: SoakLook) => void): Promise<SoakMeasurement> {
  const { minutes, clients, threads, model } = sizes;
  await using folder = await TemporaryFolder.create();
  await using server = await ObservedServer.start([
    ...["--store", join(folder.path, "store"), "--max-tokens-per-image", "64", "--keep-gb", "0.05"],
    ...(model === undefined ? [] : ["--model", model]),
    ...(threads === undefined ? [] : ["--threads", `${threads}`]),
  ]);
  while (!(await fetch(`${server.url}/ready`)).ok) await wait(200);
  const answers: Record<string, Record<string, number>> = {};
  const faults: string[] = [];
  let requests = 0;
  const ending = new AbortController();
  const random = randomFrom(SEED);
  const [picture, mask] = await Promise.all([paintedPng(), holedPng()]);
  const started = performance.now();
  const running = Promise.all(
    Array.from({ length: clients }, () =>
      mixedClient({
        url: server.url,
        picture,
        mask,
        signal: ending.signal,
        random,
        onVisit: (kind, status, isExpected) => {
          requests++;
          const own = answers[kind] ?? {};
          answers[kind] = own;
          const name = status === undefined ? "left" : `${status}`;
          own[name] = (own[name] ?? 0) + 1;
          if (!isExpected) faults.push(`${kind}: ${name}`);
        },
      }),
    ),
  );
  const looks: SoakLook[] = [];
  try {
    for (let count = 1; count <= LOOKS; count++) {
      const due = started + (count * minutes * 60_000) / LOOKS;
      await Promise.race([wait(due - performance.now()), running]);
      const at = Number(((performance.now() - started) / 60_000).toFixed(2));
      const look = { minutes: at, requests, ...(await server.look()) };
      onLook(look);
      looks.push(look);
    }
  } finally {
    ending.abort();
  }
  await running;
  await wait(REST_MS);
  const atRest = await server.look();
  const exitCode = await server.stop();
  return {
    name: "soak",
    sizes: { minutes, clients, threads: threads ?? "all", model: model ?? "default" },
    answers,
    faults: [...faults, ...server.strayLines],
    looks,
    atRest,
    exitCode,
    machine: machine(),
  };
}

function paintedPng(): Promise<Uint8Array<ArrayBuffer>> {
  const background = { r: 40, g: 120, b: 200 };
  return pngBytes(sharp({ create: { width: SIDE, height: SIDE, channels: 3, background } }));
}

/** Opaque, and transparent in a quarter. */
async function holedPng(): Promise<Uint8Array<ArrayBuffer>> {
  const data = new Uint8Array(4 * SIDE * SIDE).fill(255);
  for (let y = 0; y < SIDE / 2; y++) {
    for (let x = 0; x < SIDE / 2; x++) data[4 * (y * SIDE + x) + 3] = 0;
  }
  return pngBytes(sharp(data, { raw: { width: SIDE, height: SIDE, channels: 4 } }));
}

async function pngBytes(image: Sharp): Promise<Uint8Array<ArrayBuffer>> {
  return new Uint8Array(await image.png().toBuffer());
}

/** Mulberry32: the choices are the same in every run, their order among clients is not. */
function randomFrom(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}
