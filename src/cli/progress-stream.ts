/** @file What progress is written to, and how spans of time read there. */

/** The part of a write stream that progress needs; a terminal has `isTTY` and `columns`, a file or pipe has neither. */
export interface ProgressStream {
  readonly isTTY?: boolean;
  /** 0 or absent where a terminal does not tell its size. */
  readonly columns?: number;
  write(text: string): unknown;
}

/** Back to the line's start, and nothing is left of it. */
export const ERASE_LINE = "\r\u001b[2K";

/** Columns of a terminal that does not tell. */
const USUAL_COLUMNS = 80;

/**
 * Whether lines can be redrawn in place: on a terminal that obeys escape codes and that a person watches. Jobs of CI
 * systems may have terminals too, but what is written there is kept line after line.
 */
export function rewritesLines(
  { isTTY }: Pick<ProgressStream, "isTTY">,
  { TERM, CI }: Readonly<Record<string, string | undefined>>,
): boolean {
  return isTTY === true && TERM !== "dumb" && ["", "0", "false", undefined].includes(CI);
}

/** The part of a line that a terminal shows without breaking it, which would leave its first part standing. */
export function fitted(line: string, { columns }: Pick<ProgressStream, "columns">): string {
  return line.slice(0, (columns || USUAL_COLUMNS) - 1);
}

/** `1h05m`, `3m20s`, `12s`; `?` for what is not finite. */
export function formatDuration(seconds: number): string {
  if (!Number.isFinite(seconds)) return "?";
  const whole = Math.max(0, Math.round(seconds));
  const pad = (n: number): string => String(n).padStart(2, "0");
  if (whole >= 3600) return `${Math.floor(whole / 3600)}h${pad(Math.floor((whole % 3600) / 60))}m`;
  return whole >= 60 ? `${Math.floor(whole / 60)}m${pad(whole % 60)}s` : `${whole}s`;
}
