/**
 * @file DPG-Bench (arXiv 2403.05135, github.com/TencentQQGYLab/ELLA at 3c228f1): one file a prompt under the prompt file's name,
 * four square pictures in a grid of 2 x 2, or one.
 */
import { readdir, stat } from "node:fs/promises";
import { basename, join } from "node:path";
import { DataFormatError, InputError } from "../../errors.ts";
import { type Benchmark, grid, NOTHING_BESIDE } from "./benchmark.ts";
import { BENCHMARK_SOURCES } from "./benchmark-sources.ts";
import { checkItems, fileName, readPromptText } from "./prompt-files.ts";
import { word } from "./scoring-words.ts";

const FOLDER = "dpg_bench";
const ENDING = ".txt";

export const DPG_BENCH: Benchmark = {
  ...BENCHMARK_SOURCES.dpg,
  async items(prompts, { count }) {
    const items = [];
    for (const where of await textFiles(prompts)) {
      const prompt = (await readPromptText(where)).trim();
      if (prompt === "") throw new DataFormatError("is empty", { where });
      const name = fileName(basename(where, ENDING), "its name", where);
      // The scorer knows a picture by what stands in front of its name's first dot.
      if (name.includes(".")) throw new DataFormatError("has a dot in its name", { where });
      items.push({ ...NOTHING_BESIDE, where, prompt, files: [grid(`${FOLDER}/${name}.png`, count)] });
    }
    return checkItems(items, prompts.join(", "));
  },
  scoring: ({ out, count, side }) => [
    `PIC_NUM=${count} bash dpg_bench/dist_eval.sh ${word(out, FOLDER)} ${side ?? "SIDE_OF_A_PICTURE"}`,
  ],
};

/** The given files, and those of given folders, by name. */
async function textFiles(prompts: readonly string[]): Promise<readonly string[]> {
  const files: string[] = [];
  for (const path of prompts) {
    const found = await stat(path).catch((cause: unknown) => {
      throw new InputError("cannot be read", { where: path, cause });
    });
    if (!found.isDirectory()) files.push(path);
    else {
      const names = (await readdir(path)).filter((name) => name.endsWith(ENDING)).sort();
      files.push(...names.map((name) => join(path, name)));
    }
  }
  return files;
}
