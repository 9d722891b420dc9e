/** @file Where benchmarks are published, for help texts: nothing of them is in this package. */

export interface BenchmarkSource {
  readonly id: string;
  readonly title: string;
  /** Where prompts and scorer are published. */
  readonly repository: string;
  /** What to fetch, for people. */
  readonly prompts: string;
  /** Pictures of each prompt that the layout takes; the first is the default, as published. */
  readonly counts: readonly number[];
  /** Whether pictures must be square. */
  readonly square: boolean;
  /** Whether the pictures that are edited lie in a folder that has to be given. */
  readonly images: "needed" | "none";
  /** What scores, for people. */
  readonly judge: string;
}

export const BENCHMARK_SOURCES = {
  geneval: {
    id: "geneval",
    title: "GenEval",
    repository: "https://github.com/djghosh13/geneval",
    prompts: "prompts/evaluation_metadata.jsonl of that repository (553 prompts)",
    counts: [4, 1, 2, 3, 5, 6, 7, 8],
    square: false,
    images: "none",
    judge: "Mask2Former and CLIP",
  },
  dpg: {
    id: "dpg",
    title: "DPG-Bench",
    repository: "https://github.com/TencentQQGYLab/ELLA",
    prompts: "the folder dpg_bench/prompts of that repository (1,065 text files)",
    counts: [4, 1],
    square: true,
    images: "none",
    judge: "mPLUG",
  },
  genai: {
    id: "genai",
    title: "GenAI-Bench",
    repository: "https://github.com/linzhiqiu/t2v_metrics",
    prompts: "genai_image.json of the data set BaiqiL/GenAI-Bench-1600 on huggingface.co (1,600 prompts)",
    counts: [1],
    square: false,
    images: "none",
    judge: "VQAScore with CLIP-FlanT5-XXL",
  },
  wise: {
    id: "wise",
    title: "WISE",
    repository: "https://github.com/PKU-YuanGroup/WISE",
    prompts:
      "the three files of data_verified/ of that repository other than merge.json, or those of WISE_legacy/data/ (1,000 prompts together)",
    counts: [1],
    square: false,
    images: "none",
    judge: "Qwen3.5-35B-A3B, and GPT-4o for the first release",
  },
  oneig: {
    id: "oneig",
    title: "OneIG-Bench",
    repository: "https://github.com/OneIG-Bench/OneIG-Benchmark",
    prompts:
      "OneIG-Bench.csv or OneIG-Bench-ZH.csv of that repository (1,120 and 1,320 prompts), each into an output folder of its own",
    counts: [4, 1, 9],
    square: false,
    images: "none",
    judge: "Qwen2.5-VL-7B, LLM2CLIP, DreamSim and style encoders",
  },
  gedit: {
    id: "gedit",
    title: "GEdit-Bench",
    repository: "https://github.com/stepfun-ai/Step1X-Edit",
    prompts:
      "the Parquet files (data/) of the data set stepfun-ai/GEdit-Bench of huggingface.co (1,212 instructions), or JSON lines with key, task_type, instruction, instruction_language and file_name, a path from there to the source picture",
    counts: [1],
    square: false,
    images: "none",
    judge: "GPT-4.1 or Qwen2.5-VL-72B by VIEScore",
  },
  imgedit: {
    id: "imgedit",
    title: "ImgEdit-Bench",
    repository: "https://github.com/PKU-YuanGroup/ImgEdit",
    prompts:
      "Benchmark/Basic/basic_edit.json of that repository; the source pictures (--images) are in Benchmark.tar of the data set sysuyy/ImgEdit on huggingface.co",
    counts: [1],
    square: false,
    images: "needed",
    judge: "GPT-4o",
  },
} as const satisfies Readonly<Record<string, BenchmarkSource>>;

export type BenchmarkId = keyof typeof BENCHMARK_SOURCES;
export const BENCHMARK_IDS: readonly string[] = Object.keys(BENCHMARK_SOURCES);
