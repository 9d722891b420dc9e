/** @file A whole evaluation of a tiny random model on a made-up data set. */
import { mkdtemp, readdir, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { ConfigError, DataFormatError } from "../../errors.ts";
import { nodeZlib } from "../../files/zlib.ts";
import { testModelPath } from "../../generate/test-models.ts";
import { encodePng } from "../../image/encode-png.ts";
import type { RgbImage } from "../../image/pixels.ts";
import { BACKGROUNDS } from "../../train/data/emoji/emoji-scenes.ts";
import { SampleWriter } from "../../train/data/sample-writer.ts";
import { mirrored } from "../edit-outcome.ts";
import { disc, MIDDLE, type Place, scene, type Thing, wedge } from "../test-pictures.ts";
import { type Evaluation, type EvaluationOptions, evaluate } from "./evaluation.ts";
import { formatMarkdown, formatTable } from "./evaluation-table.ts";

const LEFT: Place = [1 / 32, 9 / 32, 7 / 16];
const RIGHT: Place = [17 / 32, 9 / 32, 7 / 16];
const TRIO: readonly Place[] = [
  [1 / 32, 1 / 32, 7 / 16],
  [17 / 32, 1 / 32, 7 / 16],
  [9 / 32, 17 / 32, 7 / 16],
];
const THINGS: Readonly<Record<string, Thing>> = { dog: wedge([200, 40, 40]), cat: disc([40, 40, 200]) };

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "nextstep-evaluation-"));
  await writeDataSet(join(folder, "data"));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

type Sample = readonly [metadata: Record<string, unknown>, caption: string, ...pictures: RgbImage[]];

async function writeSamples(path: string, samples: readonly Sample[]): Promise<void> {
  await using writer = new SampleWriter(path);
  for (const [index, [metadata, caption, ...pictures]] of samples.entries()) {
    const images = await Promise.all(
      pictures.map(async (picture) => ({
        bytes: await encodePng(picture, nodeZlib),
        extension: "png" as const,
      })),
    );
    await writer.add(`sample${index}`, { caption, metadata }, images);
  }
  await writer.close();
}

async function writeDataSet(path: string): Promise<void> {
  const single = (subject: string, style = "3D", background: keyof typeof BACKGROUNDS = "white"): Sample => [
    {
      subject,
      style,
      layout: "single",
      background,
      ...(background === "red" ? { held_out: "background" } : {}),
    },
    `a ${subject}${background === "white" ? "" : ` on a ${background} background`}`,
    scene([[THINGS[subject]!, MIDDLE]], { ground: BACKGROUNDS[background] }),
  ];
  const pair = [LEFT, RIGHT].map((place, index) => [Object.values(THINGS)[index]!, place] as const);
  const twoDogs = [LEFT, RIGHT].map((place) => [THINGS.dog!, place] as const);
  const facts = { style: "3D", background: "white" };
  await writeSamples(join(path, "train"), [
    single("dog"),
    single("cat"),
    single("cat", "flat"),
    single("dog", "3D", "blue"),
    [{ ...facts, subject: "dog", layout: "two" }, "two dogs", scene(twoDogs)],
    [
      { ...facts, subject: "dog", second_subject: "cat", layout: "beside" },
      "a dog to the left of a cat",
      scene(pair),
    ],
  ]);
  const three = [THINGS.dog, THINGS.cat, THINGS.dog].map((thing, place) => [thing!, TRIO[place]!] as const);
  await writeSamples(join(path, "groups"), [
    [
      { ...facts, subject: "dog", second_subject: "cat", other_subjects: ["dog"], layout: "trio" },
      "a dog, a cat and a dog",
      scene(three),
    ],
  ]);
  await writeSamples(join(path, "heldout"), [single("dog", "3D", "red")]);
  await writeSamples(join(path, "unseen"), [single("cat")]);
  const dog = scene([[THINGS.dog!, MIDDLE]]);
  const target = { ...facts, subject: "dog", layout: "single" };
  await writeSamples(join(path, "edits"), [
    [{ ...target, edit: "mirror", target }, "<image_0>mirror it<image_1>", dog, mirrored(dog)],
  ]);
  const subjects = Object.keys(THINGS).map((id) => ({ id, name: id, plural: `${id}s`, synonyms: [] }));
  await writeFile(join(path, "subjects.json"), JSON.stringify(subjects));
}

const run = (options: Partial<EvaluationOptions> = {}): Promise<Evaluation> =>
  evaluate({ model: testModelPath("v1.1"), data: join(folder, "data"), count: 1, threads: 1, ...options });

describe("evaluate", () => {
  it("measures every group that the data has, and goes on with kept pictures", async () => {
    const out = join(folder, "out");
    const groups: string[] = [];
    const first = await run({ out, onProgress: ({ label }) => groups.push(label) });
    expect([...new Set(first.rows.map(({ group }) => group))]).toEqual([
      "image tokenizer",
      "3D singles",
      "flat singles",
      "backgrounds",
      "counting",
      "pairs",
      "groups",
      "edit: background",
      "edit: mirror",
      "captions",
    ]);
    expect(new Set(groups)).toContain("edit: background, held-out");
    expect(first.rows.every(({ model }) => Number.isFinite(model.value))).toBe(true);
    expect(first.leftOut.map(({ measure }) => measure)).toEqual([
      "retrieval by net",
      "kernel distance",
      "count and subject by net",
      "two objects, position and things in place by net",
      "style edits by net",
      "avatars",
    ]);

    const times = async (): Promise<number[]> => {
      const names = (await readdir(out, { recursive: true })).filter((name) => name.endsWith(".png"));
      return Promise.all(names.sort().map(async (name) => (await stat(join(out, name))).mtimeMs));
    };
    const before = await times();
    const second = await run({ out });
    expect(await times()).toEqual(before);
    expect(second.rows).toEqual(first.rows);
    await expect(run({ out, seed: 2 })).rejects.toThrow(ConfigError);

    const table = formatTable(first);
    expect(table).toContain("left out: kernel distance: needs the file of the feature net (--features)");
    expect(table.split("\n")).toHaveLength(1 + first.rows.length + first.leftOut.length);
    expect(formatMarkdown(first.rows)).toContain("| backgrounds | held-out | background colour | 1 |");
  });

  it("measures an autoencoder alone, and only what is asked for", async () => {
    const { rows, leftOut } = await run({
      model: join(testModelPath("v1.1"), "vae"),
      only: ["tokenizer", "counting"],
    });
    expect(new Set(rows.map(({ split }) => split))).toEqual(new Set(["seen", "held-out"]));
    expect(rows).toHaveLength(24);
    expect(leftOut.map(({ measure }) => measure)).toEqual(["counting"]);
  });

  it("refuses what is no data set, and stops when told to", async () => {
    await expect(run({ data: folder })).rejects.toThrow(DataFormatError);
    await expect(run({ count: 0 })).rejects.toThrow(ConfigError);
    await expect(run({ signal: AbortSignal.abort() })).rejects.toThrow("cancelled");
  });
});
