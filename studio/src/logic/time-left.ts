/** @file Times as a glance takes them in. */

/** "12 s", "3 min", "2 h 5 min". */
export function duration(seconds: number): string {
  const whole = Math.max(0, Math.round(seconds));
  if (whole < 90) return `${whole} s`;
  const minutes = Math.round(whole / 60);
  if (minutes < 90) return `${minutes} min`;
  const rest = minutes % 60;
  return `${Math.floor(minutes / 60)} h${rest === 0 ? "" : ` ${rest} min`}`;
}

/** What stands behind a progress: the time left, where there is some to tell. */
export function timeLeft(progress: { readonly seconds_left: number | null } | null): string {
  const seconds = progress?.seconds_left ?? 0;
  return seconds < 0.5 ? "" : `, ${duration(seconds)} left`;
}

/** The day and time of a Unix second, in the reader's own manner. */
export function moment(unixSeconds: number, locale?: string): string {
  return new Date(unixSeconds * 1000).toLocaleString(locale, { dateStyle: "medium", timeStyle: "short" });
}
