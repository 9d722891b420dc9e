/**
 * @file `npm run score -- [options]`: draws every subject from its name and counts how often the nearest real picture
 * among all subjects is the right one. JSON on standard output.
 */
import { progressLine } from "../src/cli/progress-line.ts";
import { pictureFeature } from "../src/evaluate/picture-feature.ts";
import { type LabelledFeature, retrievalScore } from "../src/evaluate/retrieval.ts";
import type { DrawOptions } from "../src/generate/draw-options.ts";
import { open } from "../src/node/open-model.ts";
import { EmojiRenderer } from "../src/train/data/emoji/emoji-render.ts";
import { EMOJI_STYLES } from "../src/train/data/emoji/emoji-styles.ts";
import { DEFAULT_SUBJECTS, knownSubjects, realPicture, UNNAMED_STYLE } from "./real-pictures.ts";
import { refuseUsage, toolOptions, wholeOption } from "./tool-options.ts";

const DEFAULTS = Object.freeze({
  subjects: String(DEFAULT_SUBJECTS),
  style: UNNAMED_STYLE as string,
  seed: "1",
  batch: "20",
});
const HELP = `
Usage: npm run score -- [options]

Draws subjects from their names and counts how often the nearest real picture among all is the right one.

Options:
  --model FOLDER    (default: the model in this package)
  --subjects N      the best known ones (default: ${DEFAULTS.subjects})
  --style NAME      one of ${EMOJI_STYLES.join(", ")} (default: ${DEFAULTS.style})
  --seed N          (default: ${DEFAULTS.seed})
  --batch N         prompts drawn together (default: ${DEFAULTS.batch})
  --cfg, --steps, --sampler
                    (default: the model's)
  --rows            list every subject too`;

const { values } = toolOptions("score", HELP, {
  options: {
    model: { type: "string" },
    subjects: { type: "string", default: DEFAULTS.subjects },
    style: { type: "string", default: DEFAULTS.style },
    seed: { type: "string", default: DEFAULTS.seed },
    batch: { type: "string", default: DEFAULTS.batch },
    cfg: { type: "string" },
    steps: { type: "string" },
    sampler: { type: "string" },
    rows: { type: "boolean", default: false },
  },
});
const style =
  EMOJI_STYLES.find((name) => name === values.style) ??
  refuseUsage("score", `--style takes one of ${EMOJI_STYLES.join(", ")}`);
const batch = wholeOption("score", "batch", values.batch, 1);
const wanted = wholeOption("score", "subjects", values.subjects, 1);
const settings = {
  seed: wholeOption("score", "seed", values.seed),
  ...(values.cfg === undefined ? {} : { cfg: Number(values.cfg) }),
  ...(values.steps === undefined ? {} : { steps: Number(values.steps) }),
  // The library checks the name.
  ...(values.sampler === undefined ? {} : { sampler: values.sampler as NonNullable<DrawOptions["sampler"]> }),
};

const subjects = (await knownSubjects(wanted)).filter(({ icons }) => icons.has(style));
const renderer = new EmojiRenderer();
const real: LabelledFeature[] = [];
for (const subject of subjects) {
  real.push({ subject: subject.id, feature: pictureFeature(await realPicture(subject, style, renderer)) });
}

await using model = await open(values.model);
const line = progressLine({ err: process.stderr, environment: process.env });
const drawn: LabelledFeature[] = [];
for (let start = 0; start < subjects.length; start += batch) {
  line.update("drawing", start, subjects.length);
  const some = subjects.slice(start, start + batch);
  const prompts = some.map(({ withArticle }) =>
    style === UNNAMED_STYLE ? withArticle : `${withArticle}, ${style} style`,
  );
  const pictures = await model.draw(prompts, settings);
  pictures.forEach(({ pixels }, index) => {
    drawn.push({ subject: some[index]!.id, feature: pictureFeature(pixels) });
  });
}
line.clear();
const { rows, ...score } = retrievalScore(drawn, real);
const report = { model: model.name, style, ...settings, ...score, ...(values.rows ? { rows } : {}) };
process.stdout.write(`${JSON.stringify(report, null, 2)}\n`);
