/**
 * @file ImgEdit-Bench, its basic suite (arXiv 2505.20275, github.com/PKU-YuanGroup/ImgEdit at 547185d, Benchmark/Basic): KEY.png,
 * the sources in a folder of their own.
 */
import { InputError } from "../../errors.ts";
import { sourcePath } from "../../train/data/source-path.ts";
import { type Benchmark, single } from "./benchmark.ts";
import { BENCHMARK_SOURCES } from "./benchmark-sources.ts";
import { asRecord, checkItems, fileName, readPromptJson, textField } from "./prompt-files.ts";
import { word } from "./scoring-words.ts";

const FOLDER = "imgedit";

export const IMGEDIT: Benchmark = {
  ...BENCHMARK_SOURCES.imgedit,
  async items(prompts, { images }) {
    if (images === undefined) throw new InputError("are needed", { where: "source pictures" });
    const items = [];
    for (const file of prompts) {
      for (const [key, value] of Object.entries(asRecord(await readPromptJson(file), file))) {
        const where = `${file}: ${key.slice(0, 40)}`;
        const record = asRecord(value, where);
        // The scorer looks its own prompt up by it.
        const type = textField(record, "edit_type", where);
        items.push({
          where,
          type,
          prompt: textField(record, "prompt", where),
          sources: [sourcePath(images, textField(record, "id", where), where)],
          texts: {},
          shown: {},
          files: [single(`${FOLDER}/${fileName(key, "the key", where)}.png`)],
        });
      }
    }
    return checkItems(items, prompts.join(", "));
  },
  scoring({ out, prompts, images }) {
    const edits = word(prompts[0] ?? "basic_edit.json");
    const scores = word(out, "average_score.json");
    return [
      `cd Benchmark/Basic && python basic_bench.py --result_img_folder ${word(out, FOLDER)} --edit_json ${edits} --origin_img_root ${word(images ?? "")} --prompts_json prompts.json`,
      `python step1_get_avgscore.py --result_json ${word(out, FOLDER, "result.json")} --average_score_json ${scores}`,
      `python step2_typescore.py --average_score_json ${scores} --basic_edit ${edits} --typescore_json ${word(out, "typescore.json")}`,
    ];
  },
};
