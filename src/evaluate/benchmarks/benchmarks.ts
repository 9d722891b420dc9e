/** @file The benchmarks that `nextstep evaluate` knows. */
import type { Benchmark } from "./benchmark.ts";
import { DPG_BENCH } from "./dpg-bench.ts";
import { GEDIT_BENCH } from "./gedit-bench.ts";
import { GENAI_BENCH } from "./genai-bench.ts";
import { GENEVAL } from "./geneval.ts";
import { IMGEDIT } from "./imgedit.ts";
import { ONEIG_BENCH } from "./oneig-bench.ts";
import { WISE } from "./wise.ts";

export const BENCHMARKS: readonly Benchmark[] = [
  ...[GENEVAL, DPG_BENCH, GENAI_BENCH, WISE, ONEIG_BENCH, GEDIT_BENCH, IMGEDIT],
];
