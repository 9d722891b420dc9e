/** @file What a run of the backbone is fed about its tokens: which they are, where they stand, what they see. */
import type { HostTensor } from "../runtime/engine.ts";
import type { AdapterMix } from "./adapter-mix.ts";

/** Far below any score, far above where adding a score would overflow. */
const MASKED = -1e30;

/** Tokens to read: ids, some of which are places of image tokens. */
export interface TokenRow {
  readonly ids: readonly number[];
  /** Image tokens [length, 64] that stand at the ids from `start` on. */
  readonly images?: readonly { readonly start: number; readonly tokens: Float32Array }[];
  /**
   * Rotary position of the first token that a row reads, default 0. Attention knows distances only, so that any start
   * gives the same numbers up to the rounding of angles; the published code counts the padding in front of a row.
   */
  readonly position?: number;
  /** Where tokens are not read in the order of their positions. */
  readonly layout?: TokenLayout;
  /** What stands beside the model's weights as these tokens are read; the same for all tokens of a row. Default: nothing. */
  readonly adapters?: AdapterMix | undefined;
}

/** Places that a row takes of rotary positions and of a cache, from 0 to its end. */
export function placesOf({ ids, position = 0 }: Pick<TokenRow, "ids" | "position">): number {
  return position + ids.length;
}

/** How tokens of a row stand when their order in the cache is another one than that of their positions. */
export interface TokenLayout {
  /** Place of each token, counted from the row's first, in the order of positions. */
  readonly places: readonly number[];
  /** Whether one of the tokens sees what the cache holds as the row's token of index `cached`. */
  sees(token: number, cached: number): boolean;
  /** The tokens whose hidden states are wanted. */
  readonly picks: readonly number[];
  /** Tokens at the end that are read and then forgotten. */
  readonly passing: number;
}

/** Rows of the vocabulary's table, [ids.length, D]. */
export type TokenEmbedding = (ids: readonly number[]) => Promise<Float32Array>;

/** Which tokens of rows are read, and how wide they are. */
export interface TokenSpan {
  readonly start: number;
  readonly count: number;
  /** Of an image token. */
  readonly width: number;
  /** Of a hidden state. */
  readonly hiddenSize: number;
}

/**
 * Tokens `start` to `start + count` of each row, padded behind a row's end.
 * @param base tokens that each row has read, and the rotary position of its first one
 */
export async function tokenFeeds(
  rows: readonly TokenRow[],
  base: readonly { readonly length: number; readonly origin: number }[],
  { start, count, width, hiddenSize }: TokenSpan,
  embed: TokenEmbedding,
): Promise<Record<string, HostTensor>> {
  const places = rows.length * count;
  const positions = new BigInt64Array(places);
  const cachePlaces = new BigInt64Array(places);
  const images = new Float32Array(places * width);
  const isImage = new Float32Array(places);
  rows.forEach((row, index) => {
    const from = index * count;
    const { length, origin } = base[index] as { length: number; origin: number };
    for (let place = 0; place < count; place++) {
      const own = row.layout?.places[start + place] ?? length + start + place;
      positions[from + place] = BigInt(origin + own);
      cachePlaces[from + place] = BigInt(length + start + place);
    }
    for (const image of row.images ?? []) {
      const first = Math.max(image.start, start);
      const end = Math.min(image.start + image.tokens.length / width, start + count);
      if (end <= first) continue;
      const tokens = image.tokens.subarray((first - image.start) * width, (end - image.start) * width);
      images.set(tokens, (from + first - start) * width);
      isImage.fill(1, from + first - start, from + end - start);
    }
  });
  const text = new Float32Array(places * hiddenSize);
  const read = Array.from({ length: places }, (_, at) => ({
    at,
    id: rows[Math.floor(at / count)]?.ids[start + (at % count)],
  })).filter(
    (place): place is { at: number; id: number } => place.id !== undefined && isImage[place.at] === 0,
  );
  const embedded = await embed(read.map(({ id }) => id)); // [text tokens, D]
  read.forEach(({ at }, index) => {
    text.set(embedded.subarray(index * hiddenSize, (index + 1) * hiddenSize), at * hiddenSize);
  });
  const shape = [rows.length, count];
  return {
    text: { dtype: "float32", shape: [...shape, hiddenSize], data: text },
    positions: { dtype: "int64", shape, data: positions },
    places: { dtype: "int64", shape, data: cachePlaces },
    images: { dtype: "float32", shape: [...shape, width], data: images },
    is_image: { dtype: "float32", shape: [...shape, 1], data: isImage },
  };
}

/** What a row has in its cache before its new tokens, and how these stand. */
export interface RowSight {
  readonly seen: number;
  readonly layout?: TokenLayout | undefined;
}

/**
 * Each token sees the first `seen` tokens of its row's cache, then the new ones up to itself. In a replay it sees those
 * in the cache too, and only itself beside it. Of these, a layout chooses.
 * @param span.start index among the row's tokens of the first one that is read
 */
export function maskFeed(
  rows: readonly RowSight[],
  {
    capacity,
    start,
    count,
    replay,
  }: {
    readonly capacity: number;
    readonly start: number;
    readonly count: number;
    readonly replay: boolean;
  },
): HostTensor {
  const width = capacity + count;
  const data = new Float32Array(rows.length * count * width).fill(MASKED);
  rows.forEach(({ seen, layout }, row) => {
    for (let token = 0; token < count; token++) {
      const from = (row * count + token) * width;
      const end = seen + (replay ? token : 0);
      if (layout === undefined) data.fill(0, from, from + end);
      else {
        for (let cached = 0; cached < end; cached++) {
          if (layout.sees(start + token, cached)) data[from + cached] = 0;
        }
      }
      data.fill(0, from + capacity, from + capacity + (replay ? 1 : token + 1));
    }
  });
  return { dtype: "float32", shape: [rows.length, 1, count, width], data };
}
