/**
 * @file What each benchmark's own scorer finds in the folders that are drawn: its loader's rules, restated from the published
 * sources, look through them.
 */
import { mkdir, mkdtemp, readdir, readFile, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import { afterEach, beforeEach, expect, it } from "vitest";
import { decodeImage } from "../../files/decode-image.ts";
import type { DrawOptions } from "../../generate/draw-options.ts";
import type { RgbImage } from "../../image/pixels.ts";
import type { BenchmarkId } from "./benchmark-sources.ts";
import { BENCHMARKS } from "./benchmarks.ts";
import { runBenchmark } from "./run-benchmark.ts";

const SIDE = 16;
const NAME = "tiny";
const SEED = 100;

let folder: string;
let out: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "nextstep-bench-"));
  out = join(folder, "out");
});
afterEach(() => rm(folder, { recursive: true, force: true }));

/** A picture of one grey, by its seed. */
function plain(seed: number): RgbImage {
  return { width: SIDE, height: SIDE, data: new Uint8Array(3 * SIDE * SIDE).fill(seed) };
}

const drawer = {
  draw: async (_prompt: string, { seed = 0, count = 1 }: DrawOptions) =>
    Array.from({ length: count }, (_, copy) => ({ pixels: plain(seed + copy) })),
};

async function run(id: BenchmarkId, prompts: readonly string[], count: number, images?: string) {
  const benchmark = BENCHMARKS.find((own) => own.id === id)!;
  const items = await benchmark.items(prompts, { count, name: NAME, images });
  const signal = new AbortController().signal;
  await runBenchmark(drawer, {
    ...{ items, out, identity: { id }, count, seed: SEED, options: {}, atOnce: 8, signal },
    onProgress: () => {},
  });
  const facts = { out, name: NAME, count, side: SIDE, prompts, images };
  return { items, commands: benchmark.scoring(facts).join("\n") };
}

async function write(name: string, text: string): Promise<string> {
  const path = join(folder, name);
  await mkdir(join(path, ".."), { recursive: true });
  await writeFile(path, text);
  return path;
}

/** The format that a file is in, whatever it is called, and its pixels. */
async function opened(path: string) {
  const bytes = await readFile(path);
  const picture = await decodeImage(bytes, path);
  const format =
    bytes[0] === 0x89
      ? "png"
      : bytes[0] === 0xff
        ? "jpeg"
        : bytes.toString("latin1", 8, 12) === "WEBP"
          ? "webp"
          : "?";
  const grey = (x: number, y: number): number => picture.data[3 * (y * picture.width + x)]!;
  return { ...picture, format, grey };
}

// djghosh13/geneval, evaluation/evaluate_images.py, main(): folders whose names are digits; metadata.jsonl by json.load, of
// which evaluate_image reads tag, prompt, include, exclude; files of samples/ that match \d+\.png.
it("lays GenEval out as evaluate_images.py reads it", async () => {
  const lines = [
    { tag: "single_object", include: [{ class: "bench", count: 1 }], prompt: "a photo of a bench" },
    {
      tag: "colors",
      include: [{ class: "dog", count: 1, color: "blue" }],
      exclude: [],
      prompt: "a blue dog",
    },
  ];
  const prompts = await write(
    "p/evaluation_metadata.jsonl",
    lines.map((line) => JSON.stringify(line)).join("\n"),
  );
  await run("geneval", [prompts], 4);
  const root = join(out, "geneval");
  const folders = (await readdir(root)).filter((name) => /^\d+$/.test(name)).sort();
  expect(folders).toEqual(["00000", "00001"]);
  for (const [index, name] of folders.entries()) {
    expect(JSON.parse(await readFile(join(root, name, "metadata.jsonl"), "utf8"))).toEqual(lines[index]);
    const samples = (await readdir(join(root, name, "samples")))
      .filter((file) => /^\d+\.png/.test(file))
      .sort();
    expect(samples).toHaveLength(4);
    for (const [copy, sample] of samples.entries()) {
      const { format, grey } = await opened(join(root, name, "samples", sample));
      expect([format, grey(0, 0)]).toEqual(["png", SEED + 4 * index + copy]);
    }
  }
});

// TencentQQGYLab/ELLA, dpg_bench/compute_dpg_bench.py: every file of the folder; what stands in front of the first dot of its
// name is the item_id; pictures are cropped at (0, 0), (r, 0), (0, r), (r, r), as many as --pic-num.
it("lays DPG-Bench out as compute_dpg_bench.py crops it", async () => {
  await write("prompts/COCOval2014000000010363.txt", "a cat\n");
  await write("prompts/12.txt", "a dog");
  const { commands } = await run("dpg", [join(folder, "prompts")], 4);
  const files = await readdir(join(out, "dpg_bench"));
  expect(files.map((name) => basename(name).split(".")[0]).sort()).toEqual(["12", "COCOval2014000000010363"]);
  const { grey, format, width, height } = await opened(join(out, "dpg_bench", "12.png"));
  expect([format, width, height]).toEqual(["png", 2 * SIDE, 2 * SIDE]);
  const corners = [
    [0, 0],
    [SIDE, 0],
    [0, SIDE],
    [SIDE, SIDE],
  ] as const;
  expect(corners.map(([x, y]) => grey(x, y))).toEqual([SEED, SEED + 1, SEED + 2, SEED + 3]);
  expect(commands).toContain(`PIC_NUM=4 bash dpg_bench/dist_eval.sh '${join(out, "dpg_bench")}' ${SIDE}`);
});

// linzhiqiu/t2v_metrics, genai_bench/evaluate.py: OUTPUT_DIR/GEN_MODEL/{prompt_idx}.jpeg must be there for every key.
it("lays GenAI-Bench out as evaluate.py asserts it", async () => {
  const data = { "00000": { id: "00000", prompt: "a cat", models: {} }, "00001": { prompt: "a dog" } };
  const prompts = await write("genai_image.json", JSON.stringify(data));
  await run("genai", [prompts], 1);
  for (const id of Object.keys(data)) {
    expect((await opened(join(out, "genai_bench", NAME, `${id}.jpeg`))).format).toBe("jpeg");
  }
});

// PKU-YuanGroup/WISE, vllm_eval.py and WISE_legacy/gpt_eval.py: IMAGE_DIR/{prompt_id}.png for the prompts of each file.
it("lays WISE out as vllm_eval.py looks for it, all files in one folder", async () => {
  const record = (id: number) => ({ Prompt: `p${id}`, Explanation: "e", Subcategory: "s", prompt_id: id });
  const first = await write("cultural.json", JSON.stringify([record(1), record(2)]));
  const second = await write("natural.json", JSON.stringify([record(641)]));
  await run("wise", [first, second], 1);
  for (const id of [1, 2, 641]) expect((await opened(join(out, "wise", `${id}.png`))).format).toBe("png");
});

// OneIG-Bench/OneIG-Benchmark, scripts/*/: glob IMAGE_DIR/CLASS/MODEL/ID*, exactly one file; split_mxn_grid of
// scripts/utils/utils.py cuts width // columns and height // rows, row by row.
it("lays OneIG-Bench out as split_mxn_grid cuts it", async () => {
  const csv = `category,id,prompt_en,type,prompt_length,class
Anime_Stylization,000,"a girl, solo","T, P",long,
Knowledge_Reasoning,100,"a map",NP,short,None
`;
  const prompts = await write("OneIG-Bench.csv", csv);
  const { commands } = await run("oneig", [prompts], 4);
  for (const [index, [item, id]] of [
    ["anime", "000"],
    ["reasoning", "100"],
  ].entries()) {
    const place = join(out, "images", item!, NAME);
    const found = (await readdir(place)).filter((name) => name.startsWith(id!));
    expect(found).toHaveLength(1);
    const { grey, format, width, height } = await opened(join(place, found[0]!));
    expect(format).toBe("webp");
    const [w, h] = [Math.floor(width / 2), Math.floor(height / 2)];
    const parts = [0, 1].flatMap((row) => [0, 1].map((column) => grey(column * w, row * h)));
    expect(parts).toEqual([0, 1, 2, 3].map((copy) => SEED + 4 * index + copy));
  }
  expect(commands).toContain('IMAGE_GRID=("2,2")');
});

// stepfun-ai/Step1X-Edit, GEdit-Bench/test_gedit_score.py: SAVE_PATH/MODEL/fullset/GROUP/LANGUAGE/KEY.png and KEY_SRCIMG.png,
// both of which must be there.
it("lays GEdit-Bench out as test_gedit_score.py looks for it", async () => {
  const { default: sharp } = await import("sharp");
  const source = await sharp(plain(7).data, { raw: { width: SIDE, height: SIDE, channels: 3 } })
    .png()
    .toBuffer();
  await mkdir(join(folder, "gedit/sources"), { recursive: true });
  await writeFile(join(folder, "gedit/sources/a.png"), source);
  const record = {
    key: "a1b2",
    task_type: "subject-add",
    instruction: "add a cat",
    file_name: "sources/a.png",
  };
  const lines = ["en", "cn"].map((language) => JSON.stringify({ ...record, instruction_language: language }));
  const prompts = await write("gedit/metadata.jsonl", lines.join("\n"));
  const { items } = await run("gedit", [prompts], 1);
  expect(items[0]!.sources).toEqual([join(folder, "gedit/sources/a.png")]);
  for (const language of ["en", "cn"]) {
    const place = join(out, NAME, "fullset", "subject-add", language);
    expect((await opened(join(place, "a1b2_SRCIMG.png"))).grey(0, 0)).toBe(7);
    expect((await opened(join(place, "a1b2.png"))).grey(0, 0)).toBeGreaterThanOrEqual(SEED);
  }
});

// PKU-YuanGroup/ImgEdit, Benchmark/Basic/basic_bench.py: RESULT_IMG_FOLDER/{key}.png, ORIGIN_IMG_ROOT/{id}.
it("lays ImgEdit-Bench out as basic_bench.py reads it", async () => {
  const data = { "1082": { id: "animal/000342021.jpg", prompt: "make it smooth", edit_type: "adjust" } };
  const prompts = await write("basic_edit.json", JSON.stringify(data));
  const { items, commands } = await run("imgedit", [prompts], 1, join(folder, "originals"));
  expect(items[0]!.sources).toEqual([join(folder, "originals/animal/000342021.jpg")]);
  expect((await stat(join(out, "imgedit", "1082.png"))).isFile()).toBe(true);
  expect(commands).toContain(`--result_img_folder '${join(out, "imgedit")}'`);
});
