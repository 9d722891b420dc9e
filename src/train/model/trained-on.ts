/** @file What a run trains on, for `trained` of its nextstep.json: sizes, subjects, words. */
import { createHash } from "node:crypto";
import { mkdir, readFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { z } from "zod";
import { LocalFolder } from "../../files/local-folder.ts";
import { replaceFile } from "../../files/replacement-file.ts";
import { readJson } from "../../formats/json-file.ts";
import { wordsOf } from "../../generate/trained-on.ts";
import { chooseBucket } from "../../image/aspect-buckets.ts";
import type { ImageSize } from "../../image/pixels.ts";
import type { SampleText, TarDataset } from "../data/dataset-reader.ts";
import { IMAGE_TAG_PATTERN } from "../data/image-tags.ts";
import { readHeader } from "../data/picture-header.ts";
import { onSample, usableOr } from "../data/sample-error.ts";
import { applyTemplate, possibleCaptions } from "./captions.ts";
import type { DataSetConfig, Lesson, ModelTrainConfig } from "./model-train-config.ts";
import { rejectNumbers } from "./sample-filter.ts";
import type { TrainingTars } from "./stage-data.ts";

const sizeSchema = z.tuple([z.int(), z.int()]);
const trainedSchema = z.strictObject({
  sizes: z.array(sizeSchema),
  subjects: z.array(z.string()).optional(),
  words: z.array(z.string()),
});

export type TrainedOn = z.infer<typeof trainedSchema>;

/** What is read of such lists at most. */
export const MOST_SUBJECTS = 20_000;
export const MOST_WORDS = 50_000;

/** Names of what can be asked for, beside the tars or above them. */
const SUBJECTS_FILE = "subjects.json";
const subjectsSchema = z.object({ subjects: z.array(z.string()) });

/** What samples show: as they come, gathered for all of training and for each lesson. */
class Gathering {
  readonly sizes = new Map<string, ImageSize>();
  readonly captions = new Set<string>();
  /** Captions by word. */
  readonly words = new Map<string, number>();

  add(captions: readonly string[], sizes: readonly ImageSize[]): void {
    for (const size of sizes) this.sizes.set(size.join("x"), size);
    for (const caption of captions) {
      const words = wordsOf(caption.replaceAll(IMAGE_TAG_PATTERN, " "));
      this.captions.add(words.join(" "));
      for (const word of words) this.words.set(word, (this.words.get(word) ?? 0) + 1);
    }
  }

  /** Of the named subjects those that some caption is the bare name of. */
  result(named: readonly string[] | undefined): TrainedOn {
    const subjects = named?.filter((name) => this.captions.has(wordsOf(name).join(" ")));
    const words = [...this.words].sort((a, b) => b[1] - a[1]).slice(0, MOST_WORDS);
    return {
      sizes: [...this.sizes.values()].map(([height, width]) => [height, width]),
      ...(subjects === undefined ? {} : { subjects: subjects.slice(0, MOST_SUBJECTS) }),
      words: words.map(([word]) => word).sort(),
    };
  }
}

const surveySchema = z.strictObject({ all: trainedSchema, lessons: z.array(trainedSchema) });

/** What all of training shows, and what each lesson of the curriculum does. */
export type TrainingSurvey = z.infer<typeof surveySchema>;

/** What decides which pictures and captions training shows, and the side of a token. */
export type SurveyedTraining = ModelTrainConfig & { readonly pixelsPerToken: number };

/** Looks at every caption and at the header of every picture that the run may show, or reads what an earlier start saw. */
export async function surveyTraining(config: SurveyedTraining, tars: TrainingTars): Promise<TrainingSurvey> {
  const { data, captions, imageSize, aspectBuckets, curriculum, pixelsPerToken } = config;
  const settings = JSON.stringify({ data, captions, imageSize, aspectBuckets, curriculum, pixelsPerToken });
  const hash = createHash("sha256").update(settings);
  for (const set of tars.sets) hash.update(await set.fingerprint());
  const path = join(config.output, "trained", `${hash.digest("hex").slice(0, 16)}.json`);
  const known = surveySchema.safeParse(
    await readFile(path, "utf8")
      .then(JSON.parse)
      .catch(() => undefined),
  );
  if (known.success) return known.data;
  const survey = await lookAt(config, tars);
  await mkdir(dirname(path), { recursive: true });
  await replaceFile(path, (file) => file.write(Buffer.from(JSON.stringify(survey))));
  return survey;
}

async function lookAt(config: SurveyedTraining, tars: TrainingTars): Promise<TrainingSurvey> {
  const { curriculum } = config;
  const all = new Gathering();
  const lessons = curriculum.map((lesson) => ({ lesson, gathering: new Gathering() }));
  const named: string[] = [];
  let isNamed = false;
  for (const [set, data] of tars.sets.entries()) {
    const own = tars.configs[set]!;
    if (own.samples === 0 || own.type === "nlp") continue;
    const subjects = await readSubjects(own.path);
    isNamed ||= subjects !== undefined;
    named.push(...(subjects ?? []));
    await gather(data, own, config, (metadata, captions, sizes) => {
      all.add(captions, sizes);
      for (const { lesson, gathering } of lessons) {
        if (isIn(lesson, metadata)) gathering.add(captions, sizes);
      }
    });
  }
  const names = isNamed ? [...new Set(named)] : undefined;
  return {
    all: all.result(names),
    lessons: lessons.map(({ gathering }) => gathering.result(names)),
  };
}

const isIn = ({ numbers }: Lesson, metadata: Readonly<Record<string, unknown>>): boolean =>
  rejectNumbers(metadata, numbers) === null;

async function gather(
  data: TarDataset,
  own: DataSetConfig,
  { captions: general, imageSize, aspectBuckets, pixelsPerToken }: SurveyedTraining,
  add: (
    metadata: Readonly<Record<string, unknown>>,
    captions: readonly string[],
    sizes: readonly ImageSize[],
  ) => void,
): Promise<void> {
  for (let index = 0; index < data.length; index++) {
    // What cannot be used is left out here as it is in training, where it is named.
    const sample = await usableOr(
      onSample(data.placeOf(index), async () => ({
        text: await data.textAt(index),
        headers: await Promise.all((await data.encodedImagesAt(index)).map(readHeader)),
      })),
      undefined,
    );
    if (sample === undefined) continue;
    const { text, headers } = sample;
    if (rejectNumbers(text.metadata, own.filter?.numbers ?? {}) !== null) continue;
    const sizes = headers.map(
      ({ height, width }): ImageSize =>
        aspectBuckets
          ? chooseBucket([height, width], imageSize, pixelsPerToken).gridPixels
          : [imageSize, imageSize],
    );
    add(text.metadata, captionTexts(text, own.captions ?? general), sizes);
  }
}

/** Every caption that a sample may be shown with. */
function captionTexts({ captions, description }: SampleText, source: ModelTrainConfig["captions"]): string[] {
  if (source === "weighted") return captions.map(({ text }) => text);
  const texts = possibleCaptions(description, source);
  if (source.templates.length === 0) return texts;
  return source.templates.flatMap((template) => texts.map((text) => applyTemplate(template, text)));
}

/** The names in the subjects.json of a data set's folder or the one above; undefined without one. */
async function readSubjects(path: string): Promise<readonly string[] | undefined> {
  for (const place of [path, dirname(path)]) {
    const folder = new LocalFolder(place);
    if (!(await folder.has(SUBJECTS_FILE))) continue;
    const parsed = subjectsSchema.safeParse(await readJson(await folder.open(SUBJECTS_FILE)));
    if (parsed.success) return parsed.data.subjects;
  }
  return undefined;
}
