/** @file What a value of parsed JSON is: checks that descriptions of pictures and of work share. */

/** A whole number within both bounds. */
export function isWholeNumber(value: unknown, least: number, most: number): value is number {
  return Number.isInteger(value) && Number(value) >= least && Number(value) <= most;
}

/** A SHA-256 in lower-case hexadecimal digits. */
export function isSha256(value: unknown): value is string {
  return typeof value === "string" && /^[0-9a-f]{64}$/.test(value);
}
