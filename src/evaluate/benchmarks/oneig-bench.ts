/**
 * @file OneIG-Bench (arXiv 2506.07977, github.com/OneIG-Bench/OneIG-Benchmark at 41b4983): FOLDER_OF_THE_CATEGORY/MODEL/ID.webp,
 * the pictures of a prompt in a grid.
 */
import { DataFormatError } from "../../errors.ts";
import { quoted } from "../../formats/quoted.ts";
import { readTable } from "../../train/data/record-table.ts";
import { type Benchmark, grid, NOTHING_BESIDE } from "./benchmark.ts";
import { BENCHMARK_SOURCES } from "./benchmark-sources.ts";
import { checkItems, textField } from "./prompt-files.ts";
import { word } from "./scoring-words.ts";

const FOLDER = "images";
/** As the published script (text2image.py) names them. */
const CATEGORIES: ReadonlyMap<unknown, string> = new Map([
  ["Anime_Stylization", "anime"],
  ["Portrait", "human"],
  ["General_Object", "object"],
  ["Text_Rendering", "text"],
  ["Knowledge_Reasoning", "reasoning"],
  ["Multilingualism", "multilingualism"],
]);
/** The scorer looks for all files that begin with an id: they must have one length. */
const ID = /^\d{3}$/;
const COLUMNS = ["prompt_en", "prompt_cn"] as const;

export const ONEIG_BENCH: Benchmark = {
  ...BENCHMARK_SOURCES.oneig,
  async items(prompts, { count, name }) {
    const items = [];
    for (const file of prompts) {
      for (const { record, where } of await readTable(file, [["category"], ["id"], COLUMNS])) {
        const folder = CATEGORIES.get(record.category);
        if (folder === undefined) {
          throw new DataFormatError(`has the category ${quoted(String(record.category))}`, {
            where,
            remedy: `known are ${[...CATEGORIES.keys()].join(", ")}`,
          });
        }
        // A table's cells that are written as numbers come as numbers.
        const id = String(record.id);
        if (!ID.test(id)) throw new DataFormatError(`has the id ${quoted(id)}, not three digits`, { where });
        const column = COLUMNS.find((key) => record[key] !== undefined) ?? COLUMNS[0];
        const cell = record[column];
        const prompt = textField({ [column]: typeof cell === "number" ? String(cell) : cell }, column, where);
        const files = [grid(`${FOLDER}/${folder}/${name}/${id}.webp`, count)];
        items.push({ ...NOTHING_BESIDE, where, prompt, files });
      }
    }
    return checkItems(items, prompts.join(", "));
  },
  scoring({ out, name, count }) {
    const side = Math.sqrt(count);
    return [
      `# in run_overall.sh: MODE=EN (ZH for the Chinese prompts), IMAGE_DIR=${word(out, FOLDER)}, MODEL_NAMES=("${name}"), IMAGE_GRID=("${side},${side}")`,
      "bash run_overall.sh",
    ];
  },
};
