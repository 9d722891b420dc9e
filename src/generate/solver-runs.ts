/** @file How the solver steps of pictures that differ in their number are parted into runs of the image head. */

/** Steps of one run, of the pictures that have them. */
export interface SolverRun {
  /** First step, and the one behind the last. */
  readonly from: number;
  readonly to: number;
  /** So many of the pictures take part, from the first on. */
  readonly pictures: number;
}

/**
 * Most rows, steps times branches, whose modulations one run makes at once: of the published head they take 15 MB. The
 * 28 steps of two branches, the usual case, fit; more rows would save little more.
 */
export const MODULATED_ROWS = 64;

/**
 * Runs in the order of steps. A picture takes part until its steps are done.
 * @param pictures by their number of steps, at least 1, falling.
 */
export function solverRuns(
  pictures: readonly { readonly steps: number; readonly branches: number }[],
): SolverRun[] {
  const runs: SolverRun[] = [];
  const ends = [...new Set(pictures.map(({ steps }) => steps))].reverse();
  let from = 0;
  for (const end of ends) {
    const present = pictures.filter(({ steps }) => steps >= end);
    const rows = present.reduce((total, { branches }) => total + branches, 0);
    const most = Math.max(1, Math.floor(MODULATED_ROWS / rows));
    for (; from < end; from = runs.at(-1)?.to ?? end)
      runs.push({ from, to: Math.min(end, from + most), pictures: present.length });
  }
  return runs;
}
