/**
 * @file Jobs as bytes: a journal that grows by a record a token, so that keeping up with a drawing costs a small write.
 *
 *     magic        8 bytes "nextjob" and the version, 1
 *     record       length of the payload (u32), CRC-32 of the payload (u32), payload
 *     payload      kind (u8), then by kind
 *       head       1: JSON, all of the job but its tokens; the first record, once
 *       ground     2: tokens of the input images, then of the kept cells of each picture (float32); the second, once
 *       tokens     3: picture (u32), first cell (u32), tokens (float32)
 *
 * All numbers little-endian. A record that is cut off or damaged ends the journal: what stood behind it is drawn anew,
 * and comes out the same.
 */
import { DataFormatError } from "../errors.ts";
import { crc32 } from "../formats/crc32.ts";
import { floatBytes, floatsOf } from "../tensor/float-bytes.ts";
import { joinedBytes, joinedFloats } from "../tensor/joined.ts";
import type { DrawingJob, JobImage, JobPicture, JobTokens } from "./drawing-job.ts";
import { jobCells } from "./drawing-job.ts";
import { type JobHead, parseJobHead } from "./job-head.ts";

const MAGIC = [...new TextEncoder().encode("nextjob"), 1];
const FRAME = 8;
const HEAD = 1;
const GROUND = 2;
const TOKENS = 3;
const FLOAT = Float32Array.BYTES_PER_ELEMENT;

/** A job, and what whoever wrote it keeps in it for itself. */
export interface JobDocument {
  readonly job: DrawingJob;
  /** Plain JSON. */
  readonly own?: unknown;
}

export interface ParsedJob extends JobDocument {
  /** Bytes behind the last whole record. */
  readonly dropped: number;
}

/** All of a job. */
export function encodeJob({ job, own }: JobDocument): Uint8Array<ArrayBuffer> {
  const { grid, tokenWidth, images, noise, pictures } = job;
  const head: JobHead = {
    grid,
    tokenWidth,
    images: images.map(({ sha256, width, height, tokens }) => ({
      sha256,
      width,
      height,
      tokens: tokens.length / tokenWidth,
    })),
    ...(noise === undefined ? {} : { noise }),
    pictures: pictures.map(({ recipe, notes, kept }) => ({
      recipe,
      notes,
      kept: (kept?.length ?? 0) / tokenWidth,
    })),
    ...(own === undefined ? {} : { own }),
  };
  return joinedBytes([
    Uint8Array.from(MAGIC),
    framed(HEAD, [new TextEncoder().encode(JSON.stringify(head))]),
    framed(
      GROUND,
      [...images.map(({ tokens }) => tokens), ...pictures.flatMap(({ kept }) => kept ?? [])].map(floatBytes),
    ),
    encodeTokens({ tokenWidth, pictures: pictures.map(({ tokens }) => ({ from: 0, tokens })) }),
  ]);
}

/** The records by which a journal catches up with a job. */
export function encodeTokens({ pictures }: JobTokens): Uint8Array<ArrayBuffer> {
  return joinedBytes(
    pictures.flatMap(({ from, tokens }, picture) => {
      if (tokens.length === 0) return [];
      const place = new DataView(new ArrayBuffer(8));
      place.setUint32(0, picture, true);
      place.setUint32(4, from, true);
      return [framed(TOKENS, [new Uint8Array(place.buffer), floatBytes(tokens)])];
    }),
  );
}

/**
 * The job that bytes hold. Nothing is allocated that they do not hold themselves.
 * @throws DataFormatError naming `where` for bytes that are no job, or whose first two records are cut off or damaged.
 */
export function parseJob(bytes: Uint8Array, where: string): ParsedJob {
  if (!MAGIC.slice(0, -1).every((byte, at) => bytes[at] === byte)) {
    throw new DataFormatError("is not a drawing that was interrupted", {
      where,
      remedy: "give the .job file that nextstep named",
    });
  }
  if (bytes[MAGIC.length - 1] !== MAGIC.at(-1)) {
    throw new DataFormatError("was written by another version of this package", { where });
  }
  const head = recordAt(bytes, MAGIC.length);
  const ground = head && recordAt(bytes, head.end);
  if (head?.kind !== HEAD || ground?.kind !== GROUND) throw damaged(where);
  const known = parseJobHead(new TextDecoder().decode(head.body), where);
  const { images, pictures } = splitGround(known, ground.body, where);
  const { passed, end } = readTokens(bytes, ground.end, known);
  const { grid, tokenWidth, noise, own } = known;
  return {
    job: {
      grid,
      tokenWidth,
      images,
      ...(noise === undefined ? {} : { noise }),
      pictures: pictures.map((picture, index) => ({ ...picture, tokens: passed[index] as Float32Array })),
    },
    ...(own === undefined ? {} : { own }),
    dropped: bytes.length - end,
  };
}

interface Record {
  readonly kind: number;
  readonly body: Uint8Array;
  /** Where the next one starts. */
  readonly end: number;
}

/** The record there, if it is whole. */
function recordAt(bytes: Uint8Array, at: number): Record | undefined {
  if (bytes.length - at <= FRAME) return undefined;
  const view = new DataView(bytes.buffer, bytes.byteOffset + at, FRAME);
  const length = view.getUint32(0, true);
  const start = at + FRAME;
  if (length < 1 || length > bytes.length - start) return undefined;
  const payload = bytes.subarray(start, start + length);
  if (crc32(payload) !== view.getUint32(4, true)) return undefined;
  return { kind: payload[0] as number, body: payload.subarray(1), end: start + length };
}

function splitGround(
  head: JobHead,
  body: Uint8Array,
  where: string,
): { readonly images: JobImage[]; readonly pictures: Omit<JobPicture, "tokens">[] } {
  const all = [...head.images.map(({ tokens }) => tokens), ...head.pictures.map(({ kept }) => kept)];
  const numbers = all.reduce((sum, tokens) => sum + tokens, 0) * head.tokenWidth;
  if (body.length !== numbers * FLOAT) throw damaged(where);
  let at = 0;
  const take = (tokens: number): Float32Array => {
    const part = floatsOf(body.subarray(at, at + tokens * head.tokenWidth * FLOAT));
    at += tokens * head.tokenWidth * FLOAT;
    return part;
  };
  const images = head.images.map((image) => ({ ...image, tokens: take(image.tokens) }));
  const pictures = head.pictures.map(({ recipe, notes, kept }) => ({
    recipe,
    notes,
    ...(kept === 0 ? {} : { kept: take(kept) }),
  }));
  return { images, pictures };
}

/** Tokens of each picture as far as the records go on without a gap, and where the last good one ends. */
function readTokens(
  bytes: Uint8Array,
  from: number,
  head: JobHead,
): { readonly passed: readonly Float32Array[]; readonly end: number } {
  const cells = jobCells(head);
  const tokenBytes = head.tokenWidth * FLOAT;
  const parts = head.pictures.map((): Float32Array[] => []);
  const counts = head.pictures.map(() => 0);
  let end = from;
  for (let record = recordAt(bytes, end); record !== undefined; record = recordAt(bytes, end)) {
    const { kind, body } = record;
    if (kind !== TOKENS || body.length < 8) break;
    const place = new DataView(body.buffer, body.byteOffset, 8);
    const picture = place.getUint32(0, true);
    const tokens = (body.length - 8) / tokenBytes;
    const known = counts[picture];
    const fits = Number.isInteger(tokens) && tokens >= 1 && known === place.getUint32(4, true);
    if (!fits || known + tokens > cells) break;
    const values = floatsOf(body.subarray(8));
    if (!values.every(Number.isFinite)) break;
    parts[picture]?.push(values);
    counts[picture] = known + tokens;
    end = record.end;
  }
  return { passed: parts.map(joinedFloats), end };
}

function damaged(where: string): DataFormatError {
  return new DataFormatError("is damaged: its beginning is not whole", {
    where,
    remedy: "draw anew, with the seed in the file's name",
  });
}

function framed(kind: number, parts: readonly Uint8Array[]): Uint8Array<ArrayBuffer> {
  const payload = joinedBytes([Uint8Array.of(kind), ...parts]);
  const frame = new DataView(new ArrayBuffer(FRAME));
  frame.setUint32(0, payload.length, true);
  frame.setUint32(4, crc32(payload), true);
  return joinedBytes([new Uint8Array(frame.buffer), payload]);
}
