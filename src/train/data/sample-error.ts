/** @file A fault of one sample, which a run can leave out, count and name. */

import { DataFormatError } from "../../errors.ts";

/** Where a sample stands. */
export interface SamplePlace {
  /** Path of the tar. */
  readonly tar: string;
  readonly key: string;
}

/** The place as it stands in messages. */
export function samplePlaceText({ tar, key }: SamplePlace): string {
  return `${tar}: ${key}`;
}

/**
 * One sample cannot be used: a damaged picture or description, no caption, no picture. Faults of a whole tar and of
 * the disk are errors of other classes, so that nobody takes a data set that vanished for one of bad samples.
 */
export class SampleError extends DataFormatError {
  readonly place: SamplePlace;

  constructor(place: SamplePlace, reason: string, details: { remedy?: string; cause?: unknown } = {}) {
    super(reason, { ...details, where: samplePlaceText(place) });
    this.place = place;
  }
}

/**
 * Does work on one sample: the one boundary at which faults of data become faults of a sample.
 * @throws SampleError in place of every DataFormatError of the work; all else as it is.
 */
export async function onSample<Result>(
  place: SamplePlace,
  work: () => Result | Promise<Result>,
): Promise<Result> {
  try {
    return await work();
  } catch (error) {
    if (!(error instanceof DataFormatError) || error instanceof SampleError) throw error;
    const { where, reason, remedy } = error;
    const inner = where === undefined || where === samplePlaceText(place) ? "" : `${where}: `;
    throw new SampleError(place, `${inner}${reason}`, {
      ...(remedy === undefined ? {} : { remedy }),
      cause: error,
    });
  }
}

/** What is read of a sample, or `otherwise` when the sample cannot be used. */
export async function usableOr<Read, Otherwise>(
  reading: Promise<Read>,
  otherwise: Otherwise,
): Promise<Read | Otherwise> {
  try {
    return await reading;
  } catch (error) {
    if (error instanceof SampleError) return otherwise;
    throw error;
  }
}
