/** @file What a model was trained on, as far as its folder says: sizes, subjects, words (`trained` in nextstep.json). */
import { ConfigError } from "../errors.ts";
import type { FileFolder } from "../formats/file-folder.ts";
import { isJsonObject, readJson } from "../formats/json-file.ts";
import { quoted } from "../formats/quoted.ts";
import type { ImageSize } from "../image/pixels.ts";
import { NEXTSTEP_FILE } from "./default-settings.ts";
import { describe, MAX_SIDE } from "./settings.ts";

/** Each list is there or not; one that is not says nothing about the model. */
export interface TrainedOn {
  /** Sizes that its pictures had, height first, in pixels. */
  readonly sizes?: readonly ImageSize[];
  /** Names of what can be asked for. */
  readonly subjects?: readonly string[];
  /** Words of its captions, as {@link wordsOf} gives them. */
  readonly words?: readonly string[];
}

const MAX_SIZES = 1024;
const MAX_SUBJECTS = 20_000;
const MAX_WORDS = 50_000;
/** Longest subject in characters: a name, not a caption. */
const MAX_SUBJECT_CHARACTERS = 200;

/** The words of a text: runs of letters and digits of any script, in lower case and composed form (NFC). */
export function wordsOf(text: string): string[] {
  return (
    text
      .toLowerCase()
      .normalize("NFC")
      .match(/[\p{L}\p{N}]+/gu) ?? []
  );
}

/**
 * Reads `trained` of a folder's nextstep.json; without it nothing is known.
 * @throws ConfigError naming the entry that does not fit, ModelFormatError if the file is not JSON.
 */
export async function readTrainedOn(folder: FileFolder): Promise<TrainedOn> {
  if (!(await folder.has(NEXTSTEP_FILE))) return {};
  return parseTrainedOn(await readJson(await folder.open(NEXTSTEP_FILE)), folder.pathOf(NEXTSTEP_FILE));
}

/** @throws ConfigError naming the entry of `trained` that does not fit. */
export function parseTrainedOn(json: unknown, path: string): TrainedOn {
  const trained = isJsonObject(json) ? json.trained : undefined;
  if (trained === undefined) return {};
  const where = `${path}: trained`;
  if (!isJsonObject(trained)) {
    throw new ConfigError("is not an object", {
      where,
      remedy: "give sizes, subjects and words, or leave it out",
    });
  }
  const unknown = Object.keys(trained).find((key) => !LISTS.some(({ name }) => name === key));
  if (unknown !== undefined) {
    throw new ConfigError(`${quoted(unknown)} is not known`, {
      where,
      remedy: "known are sizes, subjects and words",
    });
  }
  for (const { name, most, accepts, allowed } of LISTS) {
    const list = trained[name];
    if (list === undefined) continue;
    const refuse = (reason: string, remedy: string): ConfigError =>
      new ConfigError(reason, { where: `${where}.${name}`, remedy });
    if (!Array.isArray(list)) throw refuse("is not a list", `give ${allowed}`);
    if (list.length > most) throw refuse(`holds ${list.length} entries`, `at most ${most} are read`);
    const wrong = list.find((entry) => !accepts(entry));
    if (wrong !== undefined || list.includes(undefined)) {
      throw refuse(`${describe(JSON.stringify(wrong))} does not fit`, `give ${allowed}`);
    }
  }
  const { sizes, subjects, words } = trained as TrainedOn;
  return {
    ...(sizes === undefined ? {} : { sizes }),
    ...(subjects === undefined ? {} : { subjects }),
    ...(words === undefined ? {} : { words }),
  };
}

/**
 * What a model was trained on, with what stands beside it. Of words nothing is known as soon as one of them does not tell its
 * own: a word may have been learnt there.
 */
export function trainedBeside(model: TrainedOn, adapters: readonly TrainedOn[]): TrainedOn {
  if (adapters.length === 0) return model;
  const all = [model, ...adapters];
  const isToldByAll = all.every((own) => own.words !== undefined);
  const joined = <Entry>(listOf: (one: TrainedOn) => readonly Entry[] | undefined): readonly Entry[] => [
    ...new Map(all.flatMap((one) => listOf(one) ?? []).map((entry) => [String(entry), entry])).values(),
  ];
  return {
    ...(model.sizes === undefined ? {} : { sizes: joined((one) => one.sizes) }),
    ...(model.subjects === undefined ? {} : { subjects: joined((one) => one.subjects) }),
    ...(isToldByAll ? { words: joined((one) => one.words) } : {}),
  };
}

interface ListCheck {
  readonly name: keyof TrainedOn;
  readonly most: number;
  readonly accepts: (entry: unknown) => boolean;
  /** What is allowed, to follow "give". */
  readonly allowed: string;
}

const LISTS: readonly ListCheck[] = [
  {
    name: "sizes",
    most: MAX_SIZES,
    accepts: (entry) => Array.isArray(entry) && entry.length === 2 && entry.every(isSide),
    allowed: `[height, width] pairs in pixels, each up to ${MAX_SIDE}`,
  },
  {
    name: "subjects",
    most: MAX_SUBJECTS,
    accepts: (entry) =>
      typeof entry === "string" && entry.length <= MAX_SUBJECT_CHARACTERS && wordsOf(entry).length > 0,
    allowed: `names of up to ${MAX_SUBJECT_CHARACTERS} characters`,
  },
  {
    name: "words",
    most: MAX_WORDS,
    accepts: (entry) => typeof entry === "string" && wordsOf(entry)[0] === entry,
    allowed: "words of letters and digits in lower case",
  },
];

function isSide(value: unknown): boolean {
  return Number.isInteger(value) && Number(value) >= 1 && Number(value) <= MAX_SIDE;
}
