/** @file What a folder offers as samples, before it is known whether they can be used. */

import type { PassedOver } from "./passed-over.ts";
import type { SampleImage, SampleJson } from "./sample-writer.ts";

/** A sample that a folder promises. */
export interface SourceSample {
  /** What reports call it; no two of a folder are alike. Decides the key, and the side of the split. */
  readonly name: string;
  /** @throws UnusableSource when it is to be passed over. */
  read(): Promise<PreparedSample>;
}

/** A sample as it is written. */
export interface PreparedSample {
  readonly json: SampleJson;
  readonly images: readonly SampleImage[];
  /** Digests of pictures or texts: samples that share one stay on one side of a split. */
  readonly contents: readonly string[];
}

export interface FolderSources {
  readonly samples: readonly SourceSample[];
  /** Files and rows that are no part of any of them. */
  readonly passedOver: readonly PassedOver[];
}
