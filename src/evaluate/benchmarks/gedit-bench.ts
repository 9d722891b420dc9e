/**
 * @file GEdit-Bench (arXiv 2504.17761, github.com/stepfun-ai/Step1X-Edit at 570eba6, GEdit-Bench/):
 * MODEL/fullset/TASK/LANGUAGE/KEY.png, and the source beside it as KEY_SRCIMG.png.
 */
import { dirname, resolve } from "node:path";
import { DataFormatError } from "../../errors.ts";
import { quoted } from "../../formats/quoted.ts";
import { readTable } from "../../train/data/record-table.ts";
import { sourcePath } from "../../train/data/source-path.ts";
import { type Benchmark, single } from "./benchmark.ts";
import { BENCHMARK_SOURCES } from "./benchmark-sources.ts";
import { checkItems, fileName, textField } from "./prompt-files.ts";
import { word } from "./scoring-words.ts";

/** Those that the scorer goes through (test_gedit_score.py). */
const TASKS: readonly string[] = [
  ...["background_change", "color_alter", "material_alter", "motion_change", "ps_human", "style_change"],
  ...["subject-add", "subject-remove", "subject-replace", "text_change", "tone_transfer"],
];
const LANGUAGES: readonly string[] = ["en", "cn"];

export const GEDIT_BENCH: Benchmark = {
  ...BENCHMARK_SOURCES.gedit,
  async items(prompts, { name }) {
    const items = [];
    for (const file of prompts) {
      for (const { record, where } of await readTable(file, [])) {
        const key = fileName(record.key, "the key", where);
        const task = known(record.task_type, TASKS, "task_type", where);
        const language = known(record.instruction_language, LANGUAGES, "instruction_language", where);
        const source = sourcePath(dirname(resolve(file)), textField(record, "file_name", where), where);
        const path = `${name}/fullset/${task}/${language}/${key}`;
        items.push({
          where,
          prompt: textField(record, "instruction", where),
          sources: [source],
          texts: {},
          shown: { [`${path}_SRCIMG.png`]: source },
          files: [single(`${path}.png`)],
        });
      }
    }
    return checkItems(items, prompts.join(", "));
  },
  scoring: ({ out, name }) => [
    `cd GEdit-Bench && python test_gedit_score.py --model_name ${name} --save_path ${word(out)} --backbone gpt4o`,
    `python calculate_statistics.py --model_name ${name} --save_path ${word(out)} --backbone gpt4o --language en`,
  ],
};

function known(value: unknown, names: readonly string[], key: string, where: string): string {
  const found = names.find((name) => name === value);
  if (found !== undefined) return found;
  throw new DataFormatError(`has the ${key} ${quoted(String(value))}`, {
    where,
    remedy: `known are ${names.join(", ")}`,
  });
}
