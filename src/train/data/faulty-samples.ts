/** @file The samples of a data set that cannot be used: left out, counted, named, and refused when they are many. */
import { DataFormatError } from "../../errors.ts";
import { SampleError } from "./sample-error.ts";

/** A sample that was left out. */
export interface FaultReport {
  /** Tar, key and what is wrong. */
  readonly message: string;
  /** Faulty samples of its data set found so far, this one among them. */
  readonly faulty: number;
  /** Samples of its data set. */
  readonly samples: number;
}

/** Faults of all data sets of a run. Which samples are left out depends on the samples alone. */
export class FaultySamples {
  readonly #maxShare: number;
  /** Faulty samples by the path of their data set. */
  readonly #found = new Map<string, Set<number>>();
  #untold: FaultReport[] = [];

  /** @param maxShare of the samples of a data set that may be faulty, 0 to 1. */
  constructor(maxShare: number) {
    this.#maxShare = maxShare;
  }

  /**
   * Takes note of a fault.
   * @param sample its data set's path, its number, and how many samples the data set has.
   * @throws `error` itself unless it is a {@link SampleError}; DataFormatError when too many samples are faulty.
   */
  leaveOut(
    error: unknown,
    sample: { readonly set: string; readonly index: number; readonly of: number },
  ): void {
    if (!(error instanceof SampleError)) throw error;
    const found = this.#found.get(sample.set) ?? new Set();
    this.#found.set(sample.set, found);
    if (found.has(sample.index)) return;
    found.add(sample.index);
    this.#untold.push({ message: error.message, faulty: found.size, samples: sample.of });
    if (found.size <= this.#maxShare * sample.of) return;
    throw new DataFormatError(
      `${found.size} of ${sample.of} samples cannot be used, more than a share of ${this.#maxShare}; the last: ${error.message}`,
      {
        where: sample.set,
        remedy: "mend the data (nextstep data check lists all faults) or raise maxFaultyShare",
        cause: error,
      },
    );
  }

  /** Faults since the last call. */
  take(): FaultReport[] {
    const untold = this.#untold;
    this.#untold = [];
    return untold;
  }
}
