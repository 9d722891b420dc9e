/** @file Sizes as people read them. */

const UNITS = ["kB", "MB", "GB", "TB"] as const;

/** `58.6 GB`, `335 MB`, `812 B`: decimal units, as disks and the hub have them, with three figures. */
export function formatBytes(bytes: number): string {
  if (bytes < 1000) return `${bytes} B`;
  let value = bytes;
  let unit = -1;
  // What would round to 1000 is one of the next unit.
  while (value >= 999.5 && unit < UNITS.length - 1) {
    value /= 1000;
    unit++;
  }
  return `${value >= 99.95 ? value.toFixed(0) : value >= 9.995 ? value.toFixed(1) : value.toFixed(2)} ${UNITS[unit]}`;
}
