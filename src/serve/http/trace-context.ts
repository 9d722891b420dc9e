/** @file W3C trace context: which trace a request belongs to, for the log. */

export interface TraceContext {
  readonly traceId: string;
  /** The caller's span. */
  readonly parentId: string;
}

/** What a `traceparent` header says; undefined for none, and for one that is malformed, as the recommendation has it. */
export function traceContext(header: string | undefined): TraceContext | undefined {
  const match = /^([0-9a-f]{2})-([0-9a-f]{32})-([0-9a-f]{16})-[0-9a-f]{2}(-.*)?$/.exec(header ?? "");
  if (match === null) return undefined;
  const [, version, traceId = "", parentId = "", more] = match;
  if (version === "ff" || (version === "00" && more !== undefined)) return undefined;
  if (/^0+$/.test(traceId) || /^0+$/.test(parentId)) return undefined;
  return { traceId, parentId };
}
