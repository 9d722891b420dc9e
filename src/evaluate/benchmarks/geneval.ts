/**
 * @file GenEval (arXiv 2310.11513, github.com/djghosh13/geneval at af4902f): a folder a prompt, numbered by its line, with the
 * line in metadata.jsonl and four samples.
 */
import { readTable } from "../../train/data/record-table.ts";
import { type Benchmark, type BenchmarkItem, NOTHING_BESIDE, single } from "./benchmark.ts";
import { BENCHMARK_SOURCES } from "./benchmark-sources.ts";
import { checkItems, textField } from "./prompt-files.ts";
import { word } from "./scoring-words.ts";

const FOLDER = "geneval";
const DIGITS = 5;

export const GENEVAL: Benchmark = {
  ...BENCHMARK_SOURCES.geneval,
  async items(prompts, { count }) {
    const items: BenchmarkItem[] = [];
    for (const file of prompts) {
      for (const { record, where } of await readTable(file, [])) {
        // Without its tag the scorer fails, after it has loaded its models.
        textField(record, "tag", where);
        const folder = `${FOLDER}/${String(items.length).padStart(DIGITS, "0")}`;
        items.push({
          ...NOTHING_BESIDE,
          where,
          prompt: textField(record, "prompt", where),
          texts: { [`${folder}/metadata.jsonl`]: `${JSON.stringify(record)}\n` },
          files: Array.from({ length: count }, (_, copy) =>
            single(`${folder}/samples/${String(copy).padStart(DIGITS, "0")}.png`, copy),
          ),
        });
      }
    }
    return checkItems(items, prompts.join(", "));
  },
  scoring: ({ out }) => [
    `python evaluation/evaluate_images.py ${word(out, FOLDER)} --outfile ${word(out, "results.jsonl")} --model-path OBJECT_DETECTOR_FOLDER`,
    `python evaluation/summary_scores.py ${word(out, "results.jsonl")}`,
  ],
};
