/** @file A part of the evaluation that stands by itself: one group of pictures and its rows. */
import type { Row } from "./row.ts";

export interface Task {
  /** As it is shown while it runs, e.g. "flat singles, held-out". */
  readonly name: string;
  /** Pictures that it makes, for the estimate of the time left. */
  readonly pictures: number;
  run(): Promise<Row[]>;
}
