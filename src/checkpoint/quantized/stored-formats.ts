/** @file Which parts of a model are stored in which blocks, for people. */
import type { BlockFormat } from "../../model/weight-format.ts";
import { partOf } from "../tensor-listing.ts";
import type { QuantizedWeights } from "./quantized-weights.ts";

export interface StoredFormat extends BlockFormat {
  /** Parts of the model of which matrices are stored so. */
  readonly parts: readonly string[];
}

/** Each format once, that of the most matrices first. */
export function storedFormats({ matrices }: QuantizedWeights): StoredFormat[] {
  const found = new Map<string, { format: BlockFormat; count: number; parts: Set<string> }>();
  for (const [name, { format }] of matrices) {
    const key = formatText(format);
    const entry = found.get(key) ?? { format, count: 0, parts: new Set<string>() };
    entry.count++;
    entry.parts.add(partOf(name));
    found.set(key, entry);
  }
  return [...found.values()]
    .sort((a, b) => b.count - a.count)
    .map(({ format, parts }) => ({ ...format, parts: [...parts] }));
}

/** `4-bit blocks of 64, asymmetric` */
export function formatText({ bits, blockSize, symmetric }: BlockFormat): string {
  return `${bits}-bit blocks of ${blockSize}, ${symmetric ? "symmetric" : "asymmetric"}`;
}
