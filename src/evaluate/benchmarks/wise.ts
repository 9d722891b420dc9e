/**
 * @file WISE (arXiv 2503.07265, github.com/PKU-YuanGroup/WISE at eb51174; the verified prompts and those of the first release):
 * ID.png, one picture a prompt, all categories in one folder.
 */
import { DataFormatError } from "../../errors.ts";
import { isWholeNumber } from "../../formats/json-value.ts";
import { type Benchmark, NOTHING_BESIDE, single } from "./benchmark.ts";
import { BENCHMARK_SOURCES } from "./benchmark-sources.ts";
import { asRecord, checkItems, readPromptJson, textField } from "./prompt-files.ts";
import { word } from "./scoring-words.ts";

const FOLDER = "wise";
const MAX_ID = 1_000_000;

export const WISE: Benchmark = {
  ...BENCHMARK_SOURCES.wise,
  async items(prompts) {
    const items = [];
    for (const file of prompts) {
      const list = await readPromptJson(file);
      if (!Array.isArray(list)) throw new DataFormatError("is no list of prompts", { where: file });
      for (const [index, value] of list.entries()) {
        const where = `${file}: prompt ${index + 1}`;
        const record = asRecord(value, where);
        const id = record.prompt_id;
        if (!isWholeNumber(id, 0, MAX_ID)) throw new DataFormatError('has no number "prompt_id"', { where });
        items.push({
          ...NOTHING_BESIDE,
          where,
          prompt: textField(record, "Prompt", where),
          files: [single(`${FOLDER}/${id}.png`)],
        });
      }
    }
    return checkItems(items, prompts.join(", "));
  },
  scoring: ({ out }) => [
    `IMAGE_DIR=${word(out, FOLDER)} VLLM_API_BASE=http://127.0.0.1:8000/v1 bash eval_qwen.sh`,
  ],
};
