/**
 * @file `npm run measure-learning -- [options]`: has a model learn things that it does not know, each from 12 pictures, and
 * measures what came of it: whether the things are recognised, and whether what it knew still is.
 */
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { TemporaryFolder } from "../bench/temporary-folder.ts";
import { shareOf } from "../src/evaluate/estimate.ts";
import { cosineDistance, NetFeatures } from "../src/evaluate/net-features.ts";
import { type LabelledFeature, rankOf } from "../src/evaluate/retrieval.ts";
import { makeFolder } from "../src/files/make-folder.ts";
import { nodeZlib } from "../src/files/zlib.ts";
import type { Model } from "../src/generate/model.ts";
import { encodePng } from "../src/image/encode-png.ts";
import type { RgbImage } from "../src/image/pixels.ts";
import { stretch } from "../src/image/resize.ts";
import { defaultModelPath } from "../src/node/default-model.ts";
import { open } from "../src/node/open-model.ts";
import { LocalEngine } from "../src/runtime/node/local-engine.ts";
import { LEARN_DEFAULTS, learn } from "../src/train/adapter/learn.ts";
import { loadEmojiNaming } from "../src/train/data/emoji/emoji-naming.ts";
import { EmojiRenderer } from "../src/train/data/emoji/emoji-render.ts";
import { paintScene, type Scene } from "../src/train/data/emoji/emoji-scenes.ts";
import { loadEmojiSets } from "../src/train/data/emoji/emoji-sets.ts";
import { DEFAULT_STYLE } from "../src/train/data/emoji/emoji-styles.ts";
import { type EmojiSubject, listSubjects, selectSubjects } from "../src/train/data/emoji/emoji-subjects.ts";
import { randomFor } from "../src/train/step-random.ts";
import { refuseUsage, toolOptions, wholeOption } from "./tool-options.ts";

const TOOL = "measure-learning";
/** Subjects among whose real pictures a drawing is looked for. */
const AMONG = 300;
/** Sizes in which each of them is there: what is learnt in both may be drawn in either. */
const SHOWN = ["single", "large"] as const;
/** What is learnt is chosen among the best known of what the model does not list. */
const UNKNOWN = 40;
const BATCH = 8;

const HELP = `
Usage: npm run measure-learning -- --features FILE [options]

Learns subjects of the emoji data that the model does not list, each from 12 pictures that differ in size, place and
background, with the settings of \`nextstep learn\`. Prints JSON: of how many drawings the nearest real picture, of ${AMONG}
subjects in two sizes, is the subject's (by the net), the same of subjects that the model knew, before and after; minutes and memory.

Options:
  --features FILE   weights of EfficientNet-lite0
  --model FOLDER    (default: the model in this package)
  --things N        how many subjects to learn, one after the other (default: 3)
  --drawings N      of each (default: 50)
  --known N         subjects that the model knew (default: 48)
  --known-drawings N  of each of these (default: 1)
  --steps N         (default: ${LEARN_DEFAULTS.steps})
  --rank N          (default: ${LEARN_DEFAULTS.rank})
  --rate X          (default: ${LEARN_DEFAULTS.learningRate})
  --drawn N         pictures of what it knows that the model learns from (default: ${LEARN_DEFAULTS.known})
  --seed N          chooses the subjects (default: 1)
  --threads N       of an operator (default: the machine's processors)
  --out FOLDER      keeps a sheet of drawings of each subject`;

const { values } = toolOptions(TOOL, HELP, {
  options: Object.fromEntries(
    [
      "features",
      "model",
      "things",
      "drawings",
      "known",
      "known-drawings",
      "steps",
      "rank",
      "rate",
      "drawn",
      "seed",
      "threads",
      "out",
    ].map((name) => [name, { type: "string" as const }]),
  ),
});
const text = (name: string): string | undefined => {
  const value: unknown = values[name as keyof typeof values];
  return typeof value === "string" ? value : undefined;
};
const count = (name: string, otherwise: number): number => {
  const given = text(name);
  return given === undefined ? otherwise : wholeOption(TOOL, name, given);
};
const features = text("features") ?? refuseUsage(TOOL, "--features is missing");
const base = text("model") ?? defaultModelPath();
const seed = count("seed", 1);
const threads = text("threads") === undefined ? {} : { threads: count("threads", 1) };

const naming = await loadEmojiNaming();
const sets = await loadEmojiSets(naming, [DEFAULT_STYLE]);
const everything = selectSubjects(listSubjects(naming, sets));
const renderer = new EmojiRenderer();
await using engine = new LocalEngine({ spin: false, ...threads });
const net = await NetFeatures.open(engine, features);

const scene = (first: EmojiSubject, layout: Scene["layout"], background: Scene["background"]) =>
  paintScene({ layout, background, style: DEFAULT_STYLE, first }, renderer);

/** Twelve pictures: what a person would take of one thing. */
const TAKES: readonly (readonly [Scene["layout"], Scene["background"]])[] = [
  ["single", "white"],
  ["large", "white"],
  ["single", "blue"],
  ["single", "green"],
  ["single", "yellow"],
  ["small", "white"],
  ["left", "white"],
  ["right", "white"],
  ["top", "white"],
  ["bottom", "white"],
  ["large", "pink"],
  ["small", "orange"],
];

async function write(path: string, picture: RgbImage): Promise<void> {
  await writeFile(path, await encodePng(picture, nodeZlib));
}

interface Asked {
  readonly prompts: readonly string[];
  /** Pictures of each. */
  readonly times: number;
  readonly adapters: readonly { readonly name: string }[];
}

/** Prompt by prompt, with the same seeds for each. */
async function drawAll(model: Model, { prompts, times, adapters }: Asked): Promise<RgbImage[]> {
  const pictures: RgbImage[] = [];
  const together = Math.max(1, Math.floor(BATCH / times));
  for (let start = 0; start < prompts.length; start += together) {
    for (let first = 0; first < times; first += BATCH) {
      const count = Math.min(BATCH, times - first);
      const drawn = await model.draw(prompts.slice(start, start + together), {
        seed: 1 + first,
        count,
        adapters,
      });
      pictures.push(...drawn.map(({ pixels }) => pixels));
    }
  }
  return pictures;
}

await using plain = await open(base, threads);
const { size, trained } = plain;
const known = new Set(trained.subjects ?? []);
const fitted = (picture: RgbImage): RgbImage => stretch(picture, size, "lanczos");
const shuffled = <Item>(items: readonly Item[]): Item[] => randomFor(seed, "subjects").shuffle([...items]);
const unknown = everything.filter(({ name }) => !known.has(name)).slice(0, UNKNOWN);
const things = shuffled(unknown).slice(0, count("things", 3));
if (things.length === 0) refuseUsage(TOOL, `${base} lists all subjects: there is nothing to learn`);
const listed = everything.filter(({ name }) => known.has(name)).slice(0, AMONG - things.length);
const subjects = [...listed, ...things];
const real: LabelledFeature[] = [];
for (let start = 0; start < subjects.length; start += 30) {
  const chunk = subjects.slice(start, start + 30);
  for (const layout of SHOWN) {
    const pictures = await Promise.all(chunk.map(async (own) => fitted(await scene(own, layout, "white"))));
    const found = await net.of(pictures);
    real.push(...found.map((feature, index) => ({ subject: chunk[index]!.name, feature })));
  }
}

/** Of how many pictures the nearest real one is the subject's. */
async function recognised(pictures: readonly RgbImage[], names: readonly string[]): Promise<number> {
  const found = await net.of(pictures);
  return found.filter(
    (feature, index) => rankOf({ subject: names[index]!, feature }, real, cosineDistance) === 1,
  ).length;
}

const prompts = shuffled(listed)
  .slice(0, count("known", 48))
  .map(({ name }) => name);
const familiar = { prompts, times: count("known-drawings", 1) };
const names = prompts.flatMap((name) => Array.from({ length: familiar.times }, () => name));
const before = await recognised(await drawAll(plain, { ...familiar, adapters: [] }), names);
process.stderr.write(`known subjects recognised before: ${before} of ${names.length}\n`);

const drawings = count("drawings", 50);
const results: object[] = [];
await using scratch = await TemporaryFolder.create();
for (const thing of things) {
  const { name } = thing;
  const folder = join(scratch.path, `${thing.id}-pictures`);
  const out = join(scratch.path, thing.id);
  await makeFolder(folder);
  for (const [index, [layout, background]] of TAKES.entries()) {
    await write(join(folder, `${index}.png`), await scene(thing, layout, background));
  }
  const words = Array.from({ length: drawings }, () => name);
  const unlearnt = await recognised(
    await drawAll(plain, { prompts: [name], times: BATCH, adapters: [] }),
    words.slice(0, BATCH),
  );
  const started = performance.now();
  const rate = text("rate");
  const learnt = await learn({
    ...{ folder, word: name, out, base, ...threads },
    open: () => open(base, threads),
    ...(text("steps") === undefined ? {} : { steps: count("steps", 1) }),
    ...(text("rank") === undefined ? {} : { rank: count("rank", 1) }),
    ...(rate === undefined ? {} : { learningRate: Number(rate) }),
    ...(text("drawn") === undefined ? {} : { known: count("drawn", 0) }),
    onEvent: (event) => {
      if (event.type === "step" && event.step % 60 === 0) process.stderr.write(`${JSON.stringify(event)}\n`);
    },
  });
  const minutes = (performance.now() - started) / 60_000;
  await using model = await open(base, { ...threads, adapters: { own: out } });
  const adapters = [{ name: "own" }];
  const drawn = await drawAll(model, { prompts: [name], times: drawings, adapters });
  const others = await drawAll(model, { ...familiar, adapters });
  const sheets = text("out");
  if (sheets !== undefined) {
    await makeFolder(sheets);
    for (const [index, picture] of [...drawn.slice(0, 8), ...others.slice(0, 4)].entries()) {
      await write(join(sheets, `${thing.id}-${index}.png`), picture);
    }
  }
  const result = {
    subject: name,
    before: `${unlearnt} of ${BATCH}`,
    recognised: shareOf(await recognised(drawn, words), drawings),
    known: shareOf(await recognised(others, names), names.length),
    knownBefore: shareOf(before, names.length),
    ...{ minutes, steps: learnt.steps, drawnByTheModel: learnt.known },
    peakMegabytes: process.resourceUsage().maxRSS / 1024,
  };
  process.stderr.write(`${JSON.stringify(result)}\n`);
  results.push(result);
}
process.stdout.write(`${JSON.stringify(results, null, 2)}\n`);
