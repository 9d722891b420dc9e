/**
 * @file Composed drawings: the colour behind, how many, which two and where. Subjects are found by looking at the
 * windows in which the data's pictures have their icons, and comparing what is there with the small pictures of all
 * known subjects.
 */
import type { RgbImage } from "../../image/pixels.ts";
import { backgroundOf } from "../../train/data/emoji/background-colour.ts";
import type { Background, SceneLayout } from "../../train/data/emoji/emoji-scenes.ts";
import { countIn } from "../counting.ts";
import { shareOf } from "../estimate.ts";
import { type LabelledFeature, rankOf } from "../retrieval.ts";
import { cutOut, windowsOf } from "../scene-windows.ts";
import { type Heading, type Judged, type Row, rowOf } from "./row.ts";
import type { References, Scorer } from "./scorer.ts";

/** A subject is found where it is among this many nearest of all: small icons of one kind are hard to tell apart. */
const FOUND_WITHIN = 5;

const share = (answers: readonly boolean[]) => shareOf(answers.filter(Boolean).length, answers.length);

/** Whether the background has the colour that was asked for. */
export async function backgroundRows(
  heading: Heading,
  judged: readonly Judged<{ readonly background: Background }>[],
): Promise<Row[]> {
  return rowOf<{ readonly background: Background }>(heading, "background colour", "share", (pick) =>
    share(judged.map((each) => backgroundOf(pick(each)) === each.item.background)),
  );
}

/** Says in which windows of a layout a subject is found. */
class Finder {
  readonly #scorer: Scorer;
  readonly #real: readonly LabelledFeature[];

  constructor(scorer: Scorer, real: readonly LabelledFeature[]) {
    this.#scorer = scorer;
    this.#real = real;
  }

  /** For each window of the layout, which of `subjects` are found in it. */
  async find(picture: RgbImage, layout: SceneLayout, subjects: readonly string[]): Promise<boolean[][]> {
    const windows = windowsOf(layout, picture.width).map((window) => cutOut(picture, window));
    const features = await this.#scorer.of(windows);
    return features.map((feature) =>
      subjects.map(
        (subject) => rankOf({ subject, feature }, this.#real, this.#scorer.distance) <= FOUND_WITHIN,
      ),
    );
  }
}

export interface Counted {
  readonly subject: string;
  readonly layout: SceneLayout;
  readonly count: number;
  /** The real picture of one of them, on white, of the drawing's size. */
  readonly alone: RgbImage;
}

/** Whether there are as many as asked for; and whether each of them is the thing that was asked for. */
export async function countingRows(
  heading: Heading,
  judged: readonly Judged<Counted>[],
  scorers: readonly Scorer[],
  references: References,
): Promise<Row[]> {
  const isCount = (picture: RgbImage, { count, alone }: Counted): boolean =>
    countIn(picture, alone) === count;
  const rows = await rowOf<Counted>(heading, "count", "share", (pick) =>
    share(judged.map((each) => isCount(pick(each), each.item))),
  );
  for (const scorer of scorers) {
    const finder = new Finder(scorer, await references(scorer));
    const measure = `count and subject by ${scorer.name}`;
    rows.push(
      ...(await rowOf<Counted>(heading, measure, "share", async (pick) => {
        const answers: boolean[] = [];
        for (const each of judged) {
          const { layout, subject } = each.item;
          const found = await finder.find(pick(each), layout, [subject]);
          answers.push(isCount(pick(each), each.item) && found.every(([isThere]) => isThere === true));
        }
        return share(answers);
      })),
    );
  }
  return rows;
}

export interface Paired {
  /** On the left, or above; and the other. */
  readonly subjects: readonly [string, string];
  readonly layout: SceneLayout;
}

export interface Grouped {
  /** In the reading order of the picture. */
  readonly subjects: readonly string[];
  readonly layout: SceneLayout;
}

/** Of the things that were asked for, those that are where they were asked for. */
export async function groupRows(
  heading: Heading,
  judged: readonly Judged<Grouped>[],
  scorers: readonly Scorer[],
  references: References,
): Promise<Row[]> {
  const rows: Row[] = [];
  for (const scorer of scorers) {
    const finder = new Finder(scorer, await references(scorer));
    rows.push(
      ...(await rowOf<Grouped>(heading, `things in place by ${scorer.name}`, "share", async (pick) => {
        const answers: boolean[] = [];
        for (const each of judged) {
          const { layout, subjects } = each.item;
          const found = await finder.find(pick(each), layout, subjects);
          answers.push(...found.map((inWindow, place) => inWindow[place]!));
        }
        return share(answers);
      })),
    );
  }
  return rows;
}

/** Where a picture may have two things: side by side, and one above the other. */
const PAIR_PLACES: readonly SceneLayout[] = ["beside", "above"];

/** Whether both things are there, wherever; and whether each is where it was asked for. */
export async function pairRows(
  heading: Heading,
  judged: readonly Judged<Paired>[],
  scorers: readonly Scorer[],
  references: References,
): Promise<Row[]> {
  const rows: Row[] = [];
  for (const scorer of scorers) {
    const finder = new Finder(scorer, await references(scorer));
    const inPlace = (found: readonly boolean[][]): boolean => found[0]![0]! && found[1]![1]!;
    const anyhow = (found: readonly boolean[][]): boolean =>
      inPlace(found) || (found[0]![1]! && found[1]![0]!);
    rows.push(
      ...(await rowOf<Paired>(heading, `two objects by ${scorer.name}`, "share", async (pick) => {
        const answers: boolean[] = [];
        for (const each of judged) {
          let isThere = false;
          for (const layout of PAIR_PLACES) {
            isThere ||= anyhow(await finder.find(pick(each), layout, each.item.subjects));
          }
          answers.push(isThere);
        }
        return share(answers);
      })),
      ...(await rowOf<Paired>(heading, `position by ${scorer.name}`, "share", async (pick) => {
        const answers: boolean[] = [];
        for (const each of judged) {
          answers.push(inPlace(await finder.find(pick(each), each.item.layout, each.item.subjects)));
        }
        return share(answers);
      })),
    );
  }
  return rows;
}
