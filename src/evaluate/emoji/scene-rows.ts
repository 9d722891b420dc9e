/**
 * @file Composed drawings: the colour behind, how many, which two and where. Subjects are found by looking at the
 * windows in which the data's pictures have their icons, and comparing what is there with the small pictures of all
 * known subjects.
 */
import type { RgbImage } from "../../image/pixels.ts";
import { backgroundOf } from "../../train/data/emoji/background-colour.ts";
import { type Background, PAIR_LAYOUTS, type SceneLayout } from "../../train/data/emoji/emoji-scenes.ts";
import { countIn } from "../counting.ts";
import { shareOf } from "../estimate.ts";
import { type LabelledFeature, rankOf } from "../retrieval.ts";
import { cutOut, windowsOf } from "../scene-windows.ts";
import { type Heading, type Judged, type Row, rowOf } from "./row.ts";
import type { References, Scorer } from "./scorer.ts";

/** A subject is found where it is among this many nearest of all: small icons of one kind are hard to tell apart. */
const FOUND_WITHIN = 5;

const share = (answers: readonly boolean[]) => shareOf(answers.filter(Boolean).length, answers.length);

/** A row of what is answered, yes or no, about each picture. */
function answerRow<Item>(
  heading: Heading,
  measure: string,
  judged: readonly Judged<Item>[],
  ask: (picture: RgbImage, item: Item) => Promise<readonly boolean[]>,
): Promise<Row[]> {
  return rowOf<Item>(heading, measure, "share", async (pick) => {
    const answers: boolean[] = [];
    for (const each of judged) answers.push(...(await ask(pick(each), each.item)));
    return share(answers);
  });
}

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
    rows.push(
      ...(await answerRow(
        heading,
        `count and subject by ${scorer.name}`,
        judged,
        async (picture, counted) => {
          const found = await finder.find(picture, counted.layout, [counted.subject]);
          return [isCount(picture, counted) && found.every(([isThere]) => isThere === true)];
        },
      )),
    );
  }
  return rows;
}

/** Different things of a picture. */
export interface Placed {
  /** In the reading order of the picture. */
  readonly subjects: readonly string[];
  readonly layout: SceneLayout;
}

/** Of things that were found or not in each window, whether each is in its own. */
function inOwnWindows(found: readonly boolean[][]): boolean[] {
  return found.map((inWindow, place) => inWindow[place]!);
}

/** Of the things that were asked for, those that are where they were asked for. */
export async function groupRows(
  heading: Heading,
  judged: readonly Judged<Placed>[],
  scorers: readonly Scorer[],
  references: References,
): Promise<Row[]> {
  const rows: Row[] = [];
  for (const scorer of scorers) {
    const finder = new Finder(scorer, await references(scorer));
    const measure = `things in place by ${scorer.name}`;
    const ask = async (picture: RgbImage, { layout, subjects }: Placed): Promise<boolean[]> =>
      inOwnWindows(await finder.find(picture, layout, subjects));
    rows.push(...(await answerRow(heading, measure, judged, ask)));
  }
  return rows;
}

/** Whether both things are there, wherever; and whether each is where it was asked for. */
export async function pairRows(
  heading: Heading,
  judged: readonly Judged<Placed>[],
  scorers: readonly Scorer[],
  references: References,
): Promise<Row[]> {
  const rows: Row[] = [];
  for (const scorer of scorers) {
    const finder = new Finder(scorer, await references(scorer));
    const inPlace = (found: readonly boolean[][]): boolean => inOwnWindows(found).every(Boolean);
    const anyhow = (found: readonly boolean[][]): boolean =>
      inPlace(found) || (found[0]![1]! && found[1]![0]!);
    const anywhere = async (picture: RgbImage, { subjects }: Placed): Promise<boolean[]> => {
      for (const layout of PAIR_LAYOUTS) {
        if (anyhow(await finder.find(picture, layout, subjects))) return [true];
      }
      return [false];
    };
    const asAsked = async (picture: RgbImage, { layout, subjects }: Placed): Promise<boolean[]> => [
      inPlace(await finder.find(picture, layout, subjects)),
    ];
    rows.push(
      ...(await answerRow(heading, `two objects by ${scorer.name}`, judged, anywhere)),
      ...(await answerRow(heading, `position by ${scorer.name}`, judged, asAsked)),
    );
  }
  return rows;
}
