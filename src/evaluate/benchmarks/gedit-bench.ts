/**
 * @file GEdit-Bench (arXiv 2504.17761, github.com/stepfun-ai/Step1X-Edit at 570eba6, GEdit-Bench/):
 * MODEL/fullset/TASK/LANGUAGE/KEY.png, and the source beside it as KEY_SRCIMG.png.
 */
import { dirname, resolve } from "node:path";
import { DataFormatError } from "../../errors.ts";
import { decodeImage } from "../../files/decode-image.ts";
import type { JsonObject } from "../../formats/json-file.ts";
import { quoted } from "../../formats/quoted.ts";
import { readTable } from "../../train/data/record-table.ts";
import { sourcePath } from "../../train/data/source-path.ts";
import { type Benchmark, type EmbeddedPicture, single } from "./benchmark.ts";
import { BENCHMARK_SOURCES } from "./benchmark-sources.ts";
import { isParquet, ParquetTable } from "./parquet-table.ts";
import { checkItems, fileName, textField } from "./prompt-files.ts";
import { word } from "./scoring-words.ts";

/** Those that the scorer goes through (test_gedit_score.py). */
const TASKS: readonly string[] = [
  ...["background_change", "color_alter", "material_alter", "motion_change", "ps_human", "style_change"],
  ...["subject-add", "subject-remove", "subject-replace", "text_change", "tone_transfer"],
];
const LANGUAGES: readonly string[] = ["en", "cn"];
/** The column whose pictures the scorer compares with. */
const PICTURES = "input_image_raw";

export const GEDIT_BENCH: Benchmark = {
  ...BENCHMARK_SOURCES.gedit,
  async items(prompts, { name }) {
    const items = [];
    for (const file of prompts) {
      for (const { record, where, source: sourceOf } of await (isParquet(file)
        ? readPublished
        : readExported)(file)) {
        const key = fileName(record.key, "the key", where);
        const task = known(record.task_type, TASKS, "task_type", where);
        const language = known(record.instruction_language, LANGUAGES, "instruction_language", where);
        const source = sourceOf();
        const path = `${name}/fullset/${task}/${language}/${key}`;
        items.push({
          where,
          prompt: textField(record, "instruction", where),
          sources: typeof source === "string" ? [source] : [],
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

interface EditRequest {
  readonly record: JsonObject;
  readonly where: string;
  /** @throws DataFormatError where none is named. */
  source(): string | EmbeddedPicture;
}

/** A Parquet file of the data set, with the pictures in it. */
async function readPublished(path: string): Promise<readonly EditRequest[]> {
  const table = await ParquetTable.open(path);
  const records = await table.records(["key", "task_type", "instruction_language", "instruction"]);
  return records.map((record, row) => {
    const where = `${path}: row ${row + 1}`;
    const picture = async () => decodeImage(await table.picture(PICTURES, row), where);
    return { record, where, source: () => picture };
  });
}

/** JSON lines, each with the file of its picture. */
async function readExported(path: string): Promise<readonly EditRequest[]> {
  const rows = await readTable(path, []);
  return rows.map(({ record, where }) => ({
    ...{ record, where },
    source: () => sourcePath(dirname(resolve(path)), textField(record, "file_name", where), where),
  }));
}

function known(value: unknown, names: readonly string[], key: string, where: string): string {
  const found = names.find((name) => name === value);
  if (found !== undefined) return found;
  throw new DataFormatError(`has the ${key} ${quoted(String(value))}`, {
    where,
    remedy: `known are ${names.join(", ")}`,
  });
}
