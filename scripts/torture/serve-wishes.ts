/** @file What the clients of a tortured server ask for, and the pictures that come of it when nothing disturbs it. */
import { nodeZlib } from "../../src/files/zlib.ts";
import { encodePng } from "../../src/image/encode-png.ts";
import { digestOf } from "./folder-digest.ts";

/** A request by its prompt, which no other has. */
export interface ServedWish {
  readonly prompt: string;
  readonly path: "/v1/jobs" | "/v1/images/generations" | "/v1/images/edits";
  /** Fields of the request. */
  readonly fields: Readonly<Record<string, string | number | boolean>>;
  /** Side of the source and what of its mask is open, where it is an edit. */
  readonly edit?: { readonly side: number; readonly opens: "half" | "nothing" };
  readonly count: number;
  readonly seed: number;
  /** How the client behaves: waits, reads a stream, cancels its job, or goes away in the middle. */
  readonly manner: "waits" | "streams" | "polls" | "cancels" | "leaves";
  /** Whether it is the request's own fault that it fails. */
  readonly fails: boolean;
}

const MANNERS = ["waits", "streams", "polls", "cancels", "leaves"] as const;
const SIDES = [160, 320] as const;

/** A wish of each manner in each size; one with a mask, and one whose mask opens nothing. */
export const WISHES: readonly ServedWish[] = [
  ...MANNERS.flatMap((manner, at) => SIDES.map((side, size) => drawn(manner, side, 100 * at + 10 * size))),
  masked("half", 500),
  masked("nothing", 600),
];

function drawn(manner: ServedWish["manner"], side: number, seed: number): ServedWish {
  const isJob = manner === "polls" || manner === "cancels";
  const count = side === 160 ? 2 : 1;
  return {
    prompt: `a house, ${manner}, ${side}`,
    path: isJob ? "/v1/jobs" : "/v1/images/generations",
    fields: {
      size: `${side}x${side}`,
      steps: 8,
      n: count,
      seed,
      output_format: manner === "waits" ? "webp" : "png",
      ...(isJob ? { previews: "rows" } : {}),
      ...(manner === "streams" ? { stream: true, partial_images: 2 } : {}),
    },
    count,
    seed,
    manner,
    fails: false,
  };
}

function masked(opens: "half" | "nothing", seed: number): ServedWish {
  return {
    prompt: `a door, ${opens}`,
    path: "/v1/images/edits",
    fields: { n: 1, seed, steps: 4 },
    edit: { side: 160, opens },
    count: 1,
    seed,
    manner: "waits",
    fails: opens === "nothing",
  };
}

/** The request as a client sends it. */
export async function requestOf(
  { prompt, fields, edit }: ServedWish,
  key: string | undefined,
): Promise<RequestInit> {
  const headers: Record<string, string> = key === undefined ? {} : { "idempotency-key": key };
  if (edit === undefined) {
    headers["content-type"] = "application/json";
    return { method: "POST", headers, body: JSON.stringify({ prompt, ...fields }) };
  }
  const body = new FormData();
  for (const [name, value] of Object.entries({ prompt, ...fields })) body.set(name, String(value));
  body.set("mask_opens", "white");
  body.set("image", await picture(edit.side, (x, y) => (x * y) % 251), "image.png");
  body.set("mask", await picture(edit.side, (_x, y) => maskAt(y, edit)), "mask.png");
  return { method: "POST", headers, body };
}

function maskAt(y: number, { side, opens }: NonNullable<ServedWish["edit"]>): number {
  return opens === "half" && y >= side / 2 ? 255 : 0;
}

async function picture(side: number, valueAt: (x: number, y: number) => number): Promise<Blob> {
  const data = new Uint8Array(3 * side * side);
  for (let pixel = 0; pixel < side * side; pixel++) {
    data.fill(valueAt(pixel % side, Math.floor(pixel / side)), 3 * pixel, 3 * pixel + 3);
  }
  return new Blob([new Uint8Array(await encodePng({ width: side, height: side, data }, nodeZlib))]);
}

/** A picture of the gallery, as far as it is compared. */
export interface ListedPicture {
  readonly id: string;
  readonly job: string;
  readonly prompt: string;
  readonly seed: number;
}

export interface ListedJob {
  readonly id: string;
  readonly status: string;
  readonly error: { readonly code: string | null; readonly message: string } | null;
  readonly request: { readonly prompt: string };
}

/** All of a list that comes in pages. */
export async function listAll<Item extends { readonly id: string }>(
  url: string,
  path: "/v1/jobs" | "/v1/gallery",
): Promise<Item[]> {
  const items: Item[] = [];
  for (;;) {
    const last = items.at(-1);
    const answer = await fetch(`${url}${path}?limit=100${last === undefined ? "" : `&before=${last.id}`}`);
    const page: { readonly data: readonly Item[]; readonly has_more: boolean } = JSON.parse(
      await answer.text(),
    );
    items.push(...page.data);
    if (!page.has_more) return items;
  }
}

/** Prompt and seed name a picture; what is compared is its file. */
export function pictureKey({ prompt, seed }: Pick<ListedPicture, "prompt" | "seed">): string {
  return `${prompt}, seed ${seed}`;
}

export async function pictureDigest(url: string, { id }: Pick<ListedPicture, "id">): Promise<string> {
  const answer = await fetch(`${url}/v1/images/${id}/content`);
  if (!answer.ok) return `answer ${answer.status}`;
  return digestOf(new Uint8Array(await answer.arrayBuffer()));
}
