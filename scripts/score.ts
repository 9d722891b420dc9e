/**
 * @file `npm run score -- [options]`: draws every subject from its name and counts how often the nearest real picture
 * among all subjects is the right one. JSON on standard output.
 */
import { parseArgs } from "node:util";
import { progressLine } from "../src/cli/progress-line.ts";
import { pictureFeature } from "../src/evaluate/picture-feature.ts";
import { type LabelledFeature, retrievalScore } from "../src/evaluate/retrieval.ts";
import type { DrawOptions } from "../src/generate/draw-options.ts";
import { open } from "../src/node/open-model.ts";
import { EmojiRenderer } from "../src/train/data/emoji/emoji-render.ts";
import { EMOJI_STYLES } from "../src/train/data/emoji/emoji-styles.ts";
import { DEFAULT_SUBJECTS, knownSubjects, realPicture, UNNAMED_STYLE } from "./real-pictures.ts";

const { values } = parseArgs({
  options: {
    model: { type: "string" },
    subjects: { type: "string", default: String(DEFAULT_SUBJECTS) },
    style: { type: "string", default: UNNAMED_STYLE },
    seed: { type: "string", default: "1" },
    batch: { type: "string", default: "20" },
    cfg: { type: "string" },
    steps: { type: "string" },
    sampler: { type: "string" },
    rows: { type: "boolean", default: false },
  },
});
const style = EMOJI_STYLES.find((name) => name === values.style);
if (style === undefined) throw new RangeError(`--style takes one of ${EMOJI_STYLES.join(", ")}`);
const batch = Number(values.batch);
const settings = {
  seed: Number(values.seed),
  ...(values.cfg === undefined ? {} : { cfg: Number(values.cfg) }),
  ...(values.steps === undefined ? {} : { steps: Number(values.steps) }),
  // The library checks the name.
  ...(values.sampler === undefined ? {} : { sampler: values.sampler as NonNullable<DrawOptions["sampler"]> }),
};

const subjects = (await knownSubjects(Number(values.subjects))).filter(({ icons }) => icons.has(style));
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
