/** @file What a build leaves out of a data set, and why. */

import { DataFormatError, InputError } from "../../errors.ts";

/** A file, or a row of a table, that is in no sample. */
export interface PassedOver {
  /** Relative to the folder, with "/". */
  readonly name: string;
  /** One of few phrases, so that it can be counted. */
  readonly reason: string;
  /** What is particular about this one. */
  readonly detail?: string;
}

/** A fault of one source, which is passed over; every other error stops the work. */
export class UnusableSource extends Error {
  readonly reason: string;
  readonly detail: string | undefined;

  constructor(reason: string, detail?: string) {
    super(detail === undefined ? reason : `${reason}: ${detail}`);
    this.reason = reason;
    this.detail = detail;
  }
}

/** Does work on one source: faults of its bytes, and that it cannot be opened, become an {@link UnusableSource}. */
export async function onSource<Result>(reason: string, work: () => Promise<Result>): Promise<Result> {
  try {
    return await work();
  } catch (error) {
    if (!(error instanceof DataFormatError) && !(error instanceof InputError)) throw error;
    const { reason: detail, remedy } = error;
    throw new UnusableSource(reason, remedy === undefined ? detail : `${detail} (${remedy})`);
  }
}

/** As it stands in a report. */
export function passedOver(
  name: string,
  { reason, detail }: { readonly reason: string; readonly detail?: string | undefined },
): PassedOver {
  return detail === undefined ? { name, reason } : { name, reason, detail };
}

/** How many were passed over for each reason, most frequent first. */
export function countReasons(list: readonly PassedOver[]): Readonly<Record<string, number>> {
  const counts = new Map<string, number>();
  for (const { reason } of list) counts.set(reason, (counts.get(reason) ?? 0) + 1);
  return Object.fromEntries([...counts].sort(([a, n], [b, m]) => m - n || (a < b ? -1 : 1)));
}
