/** @file Where two JSON values differ. */
import type { JsonValue } from "../plain-json.ts";

/** A field, and what it was and is, as JSON. */
export interface JsonDifference {
  readonly path: string;
  readonly before: string;
  readonly after: string;
}

function isRecord(value: JsonValue): value is { readonly [key: string]: JsonValue } {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** Every field in which two values differ, in order; lists are compared as a whole. A missing field counts as null. */
export function differences(before: JsonValue, after: JsonValue, path = ""): JsonDifference[] {
  if (isRecord(before) && isRecord(after)) {
    return [...new Set([...Object.keys(before), ...Object.keys(after)])].flatMap((key) =>
      differences(before[key] ?? null, after[key] ?? null, path === "" ? key : `${path}.${key}`),
    );
  }
  const [old, now] = [JSON.stringify(before), JSON.stringify(after)];
  return old === now ? [] : [{ path, before: old, after: now }];
}
