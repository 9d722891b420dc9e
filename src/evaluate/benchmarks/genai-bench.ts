/**
 * @file GenAI-Bench (arXiv 2406.13743, github.com/linzhiqiu/t2v_metrics at 6ecb74f, genai_bench/): OUTPUTS/MODEL/ID.jpeg, one
 * picture a prompt.
 */
import { type Benchmark, NOTHING_BESIDE, single } from "./benchmark.ts";
import { BENCHMARK_SOURCES } from "./benchmark-sources.ts";
import { asRecord, checkItems, fileName, readPromptJson, textField } from "./prompt-files.ts";
import { word } from "./scoring-words.ts";

const FOLDER = "genai_bench";

export const GENAI_BENCH: Benchmark = {
  ...BENCHMARK_SOURCES.genai,
  async items(prompts, { name }) {
    const items = [];
    for (const file of prompts) {
      for (const [id, value] of Object.entries(asRecord(await readPromptJson(file), file))) {
        const where = `${file}: ${id.slice(0, 40)}`;
        items.push({
          ...NOTHING_BESIDE,
          where,
          prompt: textField(asRecord(value, where), "prompt", where),
          files: [single(`${FOLDER}/${name}/${fileName(id, "the id", where)}.jpeg`)],
        });
      }
    }
    return checkItems(items, prompts.join(", "));
  },
  scoring: ({ out, name }) => [
    `python genai_bench/evaluate.py --model clip-flant5-xxl --output_dir ${word(out, FOLDER)} --gen_model ${name}`,
  ],
};
