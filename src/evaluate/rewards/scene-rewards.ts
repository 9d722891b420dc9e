/** @file Rewards by the evaluation's detectors: subject, colour, count and position. */
import { InputError, refuseAborted } from "../../errors.ts";
import { quoted } from "../../formats/quoted.ts";
import type { RgbImage } from "../../image/pixels.ts";
import { rimColour } from "../../train/data/emoji/background-colour.ts";
import {
  BACKGROUNDS,
  type Background,
  countOf,
  type SceneLayout,
} from "../../train/data/emoji/emoji-scenes.ts";
import type { Reward } from "../../train/reward/reward.ts";
import { SubjectNames } from "../caption-subject.ts";
import { countIn } from "../counting.ts";
import type { EvaluationData } from "../emoji/evaluation-data.ts";
import { fitted, ReferencePictures } from "../emoji/reference-pictures.ts";
import type { Scorer } from "../emoji/scorer.ts";
import type { LabelledFeature } from "../retrieval.ts";
import { cutOut, windowsOf } from "../scene-windows.ts";
import { type AskedScene, askedScene } from "./asked-scene.ts";
import { margin, SubjectMargins } from "./margin.ts";
import type { SceneReward } from "./reward-spec.ts";

/** A way of judging a picture by what its prompt asks for. */
interface Detector {
  /** What a prompt must ask for to be judged, for messages. */
  readonly needs: string;
  judges(asked: AskedScene): boolean;
  score(picture: RgbImage, asked: AskedScene): Promise<number>;
}

/** A reward, and what it is asked before anything is drawn. */
export interface PromptReward {
  readonly reward: Reward;
  /** @throws InputError naming the first of the prompts that asks nothing that is judged. */
  refuseUnjudged(prompts: readonly string[]): void;
}

/**
 * - `subject`: the margin of the thing that is asked for, alone on white, among the real pictures of all.
 * - `colour`: the margin of the background that is asked for among all named colours, by the median of the picture's rim.
 * - `count`: of the counts that are drawn and asked for, the smaller over the larger, which is 1 if they agree, by how well the
 *   thing is drawn where so many stand: (1 + mean margin) / 2. Blobs are counted right, too.
 * - `position`: the mean margin of the things at their places among the small pictures of all.
 * @param data must stay open.
 */
export function sceneReward(
  name: SceneReward,
  data: Pick<EvaluationData, "scenes" | "subjects">,
  scorer: Scorer,
): PromptReward {
  const names = new SubjectNames(data.subjects);
  const detector = detectors(new ReferencePictures(data), scorer)[name];
  const asked = (prompt: string): AskedScene => {
    const found = askedScene(prompt, names);
    if (detector.judges(found)) return found;
    throw new InputError(`asks nothing that the reward ${name} can judge`, {
      where: `prompt ${quoted(prompt)}`,
      remedy: `it judges ${detector.needs}`,
    });
  };
  return {
    refuseUnjudged: (prompts) => prompts.forEach(asked),
    reward: async (pictures, { signal }) => {
      const scores: number[] = [];
      for (const { prompt, pixels } of pictures) {
        refuseAborted(signal);
        scores.push(await detector.score(pixels, asked(prompt)));
      }
      return scores;
    },
  };
}

function detectors(real: ReferencePictures, scorer: Scorer): Readonly<Record<SceneReward, Detector>> {
  const known = new WeakMap<readonly LabelledFeature[], SubjectMargins>();
  const marginsAmong = (references: readonly LabelledFeature[]): SubjectMargins => {
    const margins = known.get(references) ?? new SubjectMargins(references, scorer.distance);
    known.set(references, margins);
    return margins;
  };
  /** The mean margin of things at the places of a layout, one at each or the same at all. */
  const placedMargin = async (
    picture: RgbImage,
    { subjects, style }: AskedScene,
    layout: SceneLayout,
  ): Promise<number> => {
    const side = sideOf(picture);
    const among = marginsAmong(await real.of(style, "small", side)(scorer));
    const features = await scorer.of(windowsOf(layout, side).map((window) => cutOut(picture, window)));
    const margins = features.map((feature, index) =>
      among.of(subjects[Math.min(index, subjects.length - 1)]!, feature),
    );
    return margins.reduce((a, b) => a + b, 0) / margins.length;
  };
  const isKnown = ({ subjects, style }: AskedScene, count: number): boolean =>
    subjects.length === count && subjects.every((subject) => real.alone(subject, style) !== undefined);
  return {
    subject: {
      needs: 'one thing of the data alone on white, e.g. "a dog"',
      judges: (asked) => asked.layout === undefined && isOnWhite(asked) && isKnown(asked, 1),
      score: async (picture, { subjects, style }) => {
        const among = marginsAmong(await real.of(style, "whole", sideOf(picture))(scorer));
        const [feature] = await scorer.of([picture]);
        return among.of(subjects[0]!, feature!);
      },
    },
    colour: {
      needs: 'a background that is named, e.g. "a dog on a blue background"',
      judges: ({ background }) => background !== undefined,
      score: async (picture, { background }) => colourMargin(picture, background!),
    },
    count: {
      needs: 'two, three or four of a thing of the data on white, e.g. "three dogs"',
      judges: (asked) =>
        asked.layout !== undefined &&
        countOf(asked.layout) !== undefined &&
        isOnWhite(asked) &&
        isKnown(asked, 1),
      score: async (picture, asked) => {
        const { subjects, style, layout } = asked;
        const alone = await real.alone(subjects[0]!, style)!.load();
        const drawn = countIn(picture, fitted(alone, sideOf(picture)));
        const wanted = countOf(layout!)!;
        const agreement = Math.min(drawn, wanted) / Math.max(drawn, wanted);
        return (agreement * (1 + (await placedMargin(picture, asked, layout!)))) / 2;
      },
    },
    position: {
      needs: 'things of the data at places on white, e.g. "a dog to the left of a cat" or "a dog at the top"',
      judges: (asked) => isOnWhite(asked) && isPlaced(asked) && isKnown(asked, asked.subjects.length),
      score: (picture, asked) => placedMargin(picture, asked, asked.layout!),
    },
  };
}

/** White is the colour that captions need not name. */
function isOnWhite({ background }: AskedScene): boolean {
  return background === undefined || background === "white";
}

const PLACED: ReadonlySet<string> = new Set(["left", "right", "top", "bottom", "beside", "above"]);

function isPlaced({ layout, subjects }: AskedScene): boolean {
  return layout !== undefined && PLACED.has(layout) && subjects.length > 0;
}

/** @throws InputError for a picture that is no square: places are those of squares. */
function sideOf({ width, height }: RgbImage): number {
  if (width === height) return width;
  throw new InputError(`has ${width}x${height} pixels, and squares are judged`, { where: "picture" });
}

function colourMargin(picture: RgbImage, asked: Background): number {
  const rim = rimColour(picture);
  const distance = (name: string): number =>
    Math.hypot(...BACKGROUNDS[name as Background].map((value, channel) => value - rim[channel]!));
  const others = Object.keys(BACKGROUNDS).filter((name) => name !== asked);
  return margin(distance(asked), Math.min(...others.map(distance)));
}
