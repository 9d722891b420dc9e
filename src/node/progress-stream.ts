/** @file What progress is written to, and how spans of time read there. */

/** The part of a write stream that progress needs; a terminal has `isTTY` and `columns`, a file or pipe has neither. */
export interface ProgressStream {
  readonly isTTY?: boolean;
  /** 0 or absent where a terminal does not tell its size. */
  readonly columns?: number;
  write(text: string): unknown;
}

/** `1h05m`, `3m20s`, `12s`; `?` for what is not finite. */
export function formatDuration(seconds: number): string {
  if (!Number.isFinite(seconds)) return "?";
  const whole = Math.max(0, Math.round(seconds));
  const pad = (n: number): string => String(n).padStart(2, "0");
  if (whole >= 3600) return `${Math.floor(whole / 3600)}h${pad(Math.floor((whole % 3600) / 60))}m`;
  return whole >= 60 ? `${Math.floor(whole / 60)}m${pad(whole % 60)}s` : `${whole}s`;
}
