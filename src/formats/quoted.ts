/** @file Names out of files, made fit for error messages. */

/** Quoted, cut to 200 characters, on one line and without control characters that a terminal would obey. */
export function quoted(name: string): string {
  return JSON.stringify(name.slice(0, 200)).replace(/[\x7f-\x9f]/g, "?");
}

/** {@link printable}, but for ends of lines. */
export function printableLines(text: string): string {
  return text.split("\n").map(printable).join("\n");
}

/** On one line as it stands, but for control and format characters, which become `\u{1b}`. */
export function printable(text: string): string {
  return text.replace(
    /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu,
    (character) => `\\u{${character.codePointAt(0)?.toString(16)}}`,
  );
}
