/** @file Clients of every kind, good and bad, one request after another. */
import { setTimeout as wait } from "node:timers/promises";

type Random = () => number;

/** What a request may be answered with; a client that cuts its connection may see nothing at all. */
interface Visit {
  readonly kind: string;
  readonly expected: readonly number[];
  /** @returns the status, or undefined where the client left before it was there */
  readonly run: (url: string, random: Random) => Promise<number | undefined>;
}

/** 429 is the server's word that too many wait. */
const DRAWN = [200, 429];
const CUT = [...DRAWN, undefined];

const WORDS = ["red apple", "dog", "cat", "car", "banana", "sunflower", "pizza", "rocket"] as const;
const SIZES = ["64x64", "96x64", "128x96", "128x128"] as const;

export interface MixedOptions {
  readonly url: string;
  /** A picture to edit, PNG, and a mask of its size. */
  readonly picture: Uint8Array<ArrayBuffer>;
  readonly mask: Uint8Array<ArrayBuffer>;
  readonly signal: AbortSignal;
  readonly random: Random;
  readonly onVisit: (kind: string, status: number | undefined, isExpected: boolean) => void;
}

/** One client after another, until the signal fires. */
export async function mixedClient(options: MixedOptions): Promise<void> {
  const { url, signal, random, onVisit } = options;
  const visits = visitsOf(options);
  while (!signal.aborted) {
    const visit = pick(visits, random);
    const status = await visit.run(url, random).catch((error: unknown) => {
      throw new Error(`${visit.kind} failed`, { cause: error });
    });
    const expected: readonly (number | undefined)[] = visit.expected;
    onVisit(visit.kind, status, expected.includes(status));
  }
}

function visitsOf({ picture, mask }: MixedOptions): readonly Visit[] {
  const cut = (kind: string, body: (random: Random) => object, ms: number): Visit => ({
    kind,
    expected: CUT as number[],
    run: (url, random) => cutOff(`${url}/v1/images/generations`, json(body(random)), ms * random()),
  });
  const bad = (kind: string, expected: number, path: string, init: RequestInit): Visit => ({
    kind,
    expected: [expected],
    run: async (url) => drained(await fetch(url + path, init)),
  });
  const generation: Visit = {
    kind: "generation",
    expected: DRAWN,
    run: async (url, random) => drained(await fetch(`${url}/v1/images/generations`, json(wish(random)))),
  };
  return [
    generation,
    generation,
    generation,
    generation,
    {
      kind: "stream",
      expected: DRAWN,
      run: async (url, random) =>
        drained(await fetch(`${url}/v1/images/generations`, json({ ...wish(random), ...STREAMED }))),
    },
    cut("stream, cut", (random) => ({ ...wish(random), ...STREAMED }), 400),
    cut("generation, cut", wish, 400),
    {
      kind: "edit with a mask",
      expected: DRAWN,
      run: async (url, random) => {
        const form = new FormData();
        form.set("image", new Blob([picture]), "a.png");
        form.set("mask", new Blob([mask]), "m.png");
        form.set("prompt", `a ${pick(WORDS, random)}`);
        form.set("steps", "2");
        return drained(await fetch(`${url}/v1/images/edits`, { method: "POST", body: form }));
      },
    },
    {
      kind: "job, cancelled",
      expected: [200, 404, 409, 429],
      run: async (url, random) => {
        const answer = await fetch(`${url}/v1/jobs`, json({ ...wish(random), previews: "rows" }));
        const job: unknown = await answer.json();
        if (answer.status !== 202 || !isJob(job)) return answer.status;
        await cutOff(`${url}/v1/jobs/${job.id}/events`, {}, 300 * random());
        return drained(await fetch(`${url}/v1/jobs/${job.id}/cancel`, { method: "POST" }));
      },
    },
    {
      kind: "gallery",
      expected: [200],
      run: async (url) => drained(await fetch(`${url}/v1/gallery?limit=20`)),
    },
    { kind: "metrics", expected: [200], run: async (url) => drained(await fetch(`${url}/metrics`)) },
    bad("not JSON", 400, "/v1/images/generations", { ...json({}), body: "{" }),
    bad("unknown parameter", 400, "/v1/images/generations", json({ prompt: "x", sise: "32x32" })),
    bad("prompt too long", 400, "/v1/images/generations", json({ prompt: "x".repeat(40_000) })),
    bad("no picture", 400, "/v1/images/edits", { method: "POST", body: noPicture() }),
    bad("wrong type", 415, "/v1/images/generations", { method: "POST", body: "x" }),
    bad("no such route", 404, "/v1/nothing", {}),
  ];
}

const STREAMED = { stream: true, partial_images: 2 } as const;

function wish(random: Random): object {
  return {
    prompt: `a ${pick(WORDS, random)}`,
    size: pick(SIZES, random),
    steps: 2,
    seed: Math.floor(1e6 * random()),
  };
}

function json(body: object): RequestInit {
  return { method: "POST", headers: { "content-type": "application/json" }, body: JSON.stringify(body) };
}

function noPicture(): FormData {
  const form = new FormData();
  form.set("image", new Blob(["no picture"]), "a.png");
  form.set("prompt", "x");
  return form;
}

async function drained(answer: Response): Promise<number> {
  await answer.arrayBuffer();
  return answer.status;
}

/** Goes away after so long, in the middle of whatever the server is at. */
async function cutOff(address: string, init: RequestInit, ms: number): Promise<number | undefined> {
  const leaving = new AbortController();
  void wait(ms).then(() => leaving.abort());
  try {
    return await drained(await fetch(address, { ...init, signal: leaving.signal }));
  } catch (error) {
    if (leaving.signal.aborted) return undefined;
    throw error;
  }
}

function isJob(value: unknown): value is { readonly id: string } {
  return typeof value === "object" && value !== null && "id" in value && typeof value.id === "string";
}

function pick<Item>(items: readonly Item[], random: Random): Item {
  return items[Math.floor(items.length * random())] as Item;
}
