/** @file Which samples training leaves out: by size, aspect, keywords and numbers of their metadata (docs/nextstep-spec.md 4.4). */

export interface SampleFilter {
  /** Least height and width in pixels. */
  readonly height?: number;
  readonly width?: number;
  /** Least area in pixels, or least and largest. */
  readonly area?: number | readonly [least: number, largest: number];
  /** Largest ratio of the long side to the short one. */
  readonly aspectRatio?: number;
  /** Captions with this word, in any case, are dropped with this probability. */
  readonly keywords?: readonly { readonly word: string; readonly dropProbability: number }[];
  /** Numbers of the metadata by name: v > 0 asks for at least v, v <= 0 for at most -v. Samples without one pass. */
  readonly numbers?: Readonly<Record<string, number>>;
}

export interface SampleInfo {
  /** Least height and least width over the images of the sample. */
  readonly height: number;
  readonly width: number;
  /** Largest aspect, long side over short one, over the images of the sample. */
  readonly aspectRatio: number;
  readonly caption: string;
  readonly metadata: Readonly<Record<string, unknown>>;
}

/** The measures by which a sample's images are judged. `sizes` must not be empty. */
export function measureImages(
  sizes: readonly (readonly [height: number, width: number])[],
): Pick<SampleInfo, "height" | "width" | "aspectRatio"> {
  return {
    height: Math.min(...sizes.map((size) => size[0])),
    width: Math.min(...sizes.map((size) => size[1])),
    aspectRatio: Math.max(...sizes.map((size) => Math.max(...size) / Math.min(...size))),
  };
}

/**
 * Why a sample is left out, or null if it stays.
 * @param random a draw in [0, 1) that depends on the lower-case caption alone, so that equal captions share their fate
 */
export function rejectSample(
  info: SampleInfo,
  filter: SampleFilter,
  random: (lowerCaption: string) => number,
): string | null {
  const { height, width } = info;
  if (height < (filter.height ?? 0) || width < (filter.width ?? 0)) return `${height}x${width} is too small`;
  const area = filter.area ?? 0;
  const [least, largest] = typeof area === "number" ? [area, Number.POSITIVE_INFINITY] : area;
  if (height * width < least || height * width > largest) return `an area of ${height * width} pixels`;
  if (info.aspectRatio > (filter.aspectRatio ?? Number.POSITIVE_INFINITY)) {
    return `an aspect of ${info.aspectRatio.toFixed(2)}`;
  }
  const caption = info.caption.toLowerCase();
  for (const { word, dropProbability } of filter.keywords ?? []) {
    if (caption.includes(word.toLowerCase()) && random(caption) < dropProbability) return `the word ${word}`;
  }
  return rejectNumbers(info.metadata, filter.numbers ?? {});
}

/** Why numbers of the metadata do not fit, or null if they do. */
export function rejectNumbers(
  metadata: Readonly<Record<string, unknown>>,
  bounds: NonNullable<SampleFilter["numbers"]>,
): string | null {
  for (const [name, bound] of Object.entries(bounds)) {
    const value = Object.hasOwn(metadata, name) ? metadata[name] : undefined;
    if (value === undefined) continue;
    if (typeof value !== "number") return `${name} is not a number`;
    if (bound > 0 ? value < bound : value > -bound) return `${name} of ${value}`;
  }
  return null;
}
