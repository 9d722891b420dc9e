/** @file Names out of files, made fit for error messages. */

/** Quoted, cut to 200 characters, on one line and without control characters that a terminal would obey. */
export function quoted(name: string): string {
  return JSON.stringify(name.slice(0, 200)).replace(/[\x7f-\x9f]/g, "?");
}
