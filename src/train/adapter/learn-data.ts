/**
 * @file The data that a thing is learnt from: its pictures with captions, and pictures of what the model knows, drawn by the
 * model itself, so that it goes on knowing it (as DreamBooth keeps the class of its subject, arXiv 2208.12242).
 */
import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { InputError } from "../../errors.ts";
import { nodeZlib } from "../../files/zlib.ts";
import type { Model } from "../../generate/model.ts";
import { encodePng } from "../../image/encode-png.ts";
import type { RgbImage } from "../../image/pixels.ts";
import { CaptionFiles } from "../data/caption-files.ts";
import { plainBackground } from "../data/emoji/background-colour.ts";
import { PLACE_WORDS, SIZE_WORDS } from "../data/emoji/emoji-captions.ts";
import { withIndefiniteArticle } from "../data/emoji/english-noun.ts";
import { thingLayout } from "../data/emoji/thing-layout.ts";
import { walkFiles } from "../data/file-walk.ts";
import { UnusableSource } from "../data/passed-over.ts";
import { type CaptionedJson, SampleWriter } from "../data/sample-writer.ts";
import { isPicture, readPicture } from "../data/source-picture.ts";
import { randomFor } from "../step-random.ts";

export const FEWEST_PICTURES = 8;
export const MOST_PICTURES = 30;
/** Pictures that show what the bare word asks for; with fewer, sizes and places are not said of the others. */
const FEWEST_UNPLACED = 3;
/** Names of the two data sets in a folder. */
export const OWN_DATA = "own";
export const KNOWN_DATA = "known";

/** Ways of asking for a thing, `{}` standing for its name; the name alone counts as much as all others. */
const PHRASES = ["a picture of {}", "an image of {}", "a drawing of {}", "draw {}"] as const;

/** Drawn at a time: more rows cost less each. */
const BATCH = 8;

/** What captions say of a picture beside the thing: or the model would take it for a part of the thing. */
interface Circumstances {
  /** Colour of a plain background. */
  readonly background?: string | undefined;
  /** Before the word: "small". */
  readonly sizes?: readonly string[] | undefined;
  /** Behind the word: "on the left". */
  readonly places?: readonly string[] | undefined;
}

/** Captions of a thing that has none of its own. */
export function templateCaptions(word: string, circumstances: Circumstances = {}): CaptionedJson {
  const { background, sizes = [], places = [] } = circumstances;
  const ending = background === undefined ? "" : ` on ${withIndefiniteArticle(background)} background`;
  const placed = [...sizes.map((size) => `${size} ${word}`), ...places.map((place) => `${word} ${place}`)];
  const phrased = PHRASES.map((phrase) => phrase.replace("{}", word));
  const texts = placed.length > 0 ? placed : [word, ...phrased];
  const weights = placed.length > 0 ? placed.map(() => 1) : [PHRASES.length, ...phrased.map(() => 1)];
  return {
    caption: texts[0] + ending,
    caption_all: texts.map((text) => text + ending),
    metadata: { caption_weights: weights },
  };
}

export interface OwnData {
  readonly pictures: number;
  /** Pictures with a caption file. */
  readonly captioned: number;
  /** Captions that do not hold the word, by picture. */
  readonly without: readonly string[];
  /** Files that are not learnt from, each with the reason. */
  readonly passedOver: readonly string[];
}

/**
 * Packs the pictures below a folder into tars.
 * @param known words of the model's captions: of a picture with a plain background, its colour and the size and place of the
 * thing are named where their words are among them.
 * @throws InputError for fewer or more pictures than a thing is learnt from.
 */
export async function writeOwnData(
  folder: string,
  word: string,
  target: string,
  known: ReadonlySet<string>,
  signal?: AbortSignal,
): Promise<OwnData> {
  const found = await walkFiles(folder, signal);
  const names = found.files.filter(isPicture);
  if (names.length < FEWEST_PICTURES || names.length > MOST_PICTURES) {
    throw new InputError(`holds ${names.length} pictures`, {
      where: folder,
      remedy:
        names.length < FEWEST_PICTURES
          ? `a thing is learnt from ${FEWEST_PICTURES} to ${MOST_PICTURES} pictures that show it in different places`
          : `choose up to ${MOST_PICTURES} of them, or use \`nextstep train adapter\``,
    });
  }
  const captions = await CaptionFiles.open(folder, found.files, names);
  const passedOver = [...found.passedOver, ...captions.passedOver].map(
    ({ name, reason }) => `${name}: ${reason}`,
  );
  const read: OwnPicture[] = [];
  for (const name of names) {
    try {
      const own = await captions.find(name).catch((error: unknown) => {
        if (error instanceof UnusableSource && error.message.includes("no caption")) return undefined;
        throw error;
      });
      const { image, pixels } = await readPicture(join(folder, name));
      read.push({ name, image, own, ...(own === undefined ? circumstancesOf(pixels, known) : {}) });
    } catch (error) {
      if (!(error instanceof UnusableSource)) throw error;
      passedOver.push(`${name}: ${error.message}`);
    }
  }
  if (read.length < FEWEST_PICTURES) {
    throw new InputError(`holds ${read.length} pictures that can be read`, {
      where: folder,
      remedy: passedOver.slice(0, 3).join("; "),
    });
  }
  const isPlaced = ({ sizes = [], places = [] }: OwnPicture): boolean => sizes.length + places.length > 0;
  const saysPlaces = read.filter((picture) => !isPlaced(picture)).length >= FEWEST_UNPLACED;
  await mkdir(target, { recursive: true });
  await using writer = new SampleWriter(target);
  for (const [index, { image, own, background, sizes, places }] of read.entries()) {
    const circumstances = saysPlaces ? { background, sizes, places } : { background };
    await writer.add(`p${index}`, own ?? templateCaptions(word, circumstances), [image]);
  }
  await writer.close();
  const captioned = read.flatMap(({ name, own }) => (own === undefined ? [] : [{ name, own }]));
  const holdsWord = (caption: string): boolean => caption.toLowerCase().includes(word.toLowerCase());
  return {
    pictures: read.length,
    captioned: captioned.length,
    without: captioned.filter(({ own }) => !holdsWord(own.caption)).map(({ name }) => name),
    passedOver,
  };
}

interface OwnPicture extends Circumstances {
  readonly name: string;
  readonly image: Awaited<ReturnType<typeof readPicture>>["image"];
  /** The caption that stands beside it. */
  readonly own: Awaited<ReturnType<CaptionFiles["find"]>> | undefined;
}

function circumstancesOf(pixels: RgbImage, known: ReadonlySet<string>): Circumstances {
  const background = plainBackground(pixels);
  const layout = thingLayout(pixels) ?? "single";
  const isKnown = (phrase: string): boolean => phrase.split(" ").every((word) => known.has(word));
  return {
    // White is what captions need not name.
    background:
      background !== undefined && background !== "white" && isKnown(background) ? background : undefined,
    sizes: (SIZE_WORDS[layout] ?? []).filter(isKnown),
    places: (PLACE_WORDS[layout] ?? []).filter(isKnown),
  };
}

export interface KnownDataOptions {
  readonly count: number;
  readonly seed: number;
  readonly signal?: AbortSignal | undefined;
  readonly onProgress?: (progress: { readonly done: number; readonly total: number }) => void;
}

/**
 * Has the model draw some of what it lists as its subjects, into tars.
 * @returns how many: none for a model that lists nothing.
 */
export async function writeKnownData(
  model: Model,
  target: string,
  { count, seed, signal, onProgress }: KnownDataOptions,
): Promise<number> {
  const subjects = randomFor(seed, "known subjects").shuffle([...(model.trained.subjects ?? [])]);
  const chosen = subjects.slice(0, count);
  if (chosen.length === 0) return 0;
  await mkdir(target, { recursive: true });
  await using writer = new SampleWriter(target);
  for (let start = 0; start < chosen.length; start += BATCH) {
    onProgress?.({ done: start, total: chosen.length });
    const batch = chosen.slice(start, start + BATCH);
    const pictures = await model.draw(batch, {
      seed: seed + start,
      ...(signal === undefined ? {} : { signal }),
    });
    for (const [index, { pixels }] of pictures.entries()) {
      const bytes = await encodePng(pixels, nodeZlib);
      const subject = batch[index] as string;
      await writer.add(`k${start + index}`, templateCaptions(subject), [{ bytes, extension: "png" }]);
    }
  }
  await writer.close();
  onProgress?.({ done: chosen.length, total: chosen.length });
  return chosen.length;
}
