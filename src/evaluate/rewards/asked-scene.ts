/** @file What a prompt asks for, read as the captions of the data say it (`train/data/emoji/emoji-captions.ts`). */
import {
  BACKGROUNDS,
  type Background,
  COUNT_LAYOUTS,
  type SceneLayout,
} from "../../train/data/emoji/emoji-scenes.ts";
import { DEFAULT_STYLE, EMOJI_STYLES, type EmojiStyle } from "../../train/data/emoji/emoji-styles.ts";
import type { SubjectNames } from "../caption-subject.ts";

export interface AskedScene {
  /** Ids of the things that are named; of a pair, the one on the left or above first. */
  readonly subjects: readonly string[];
  /** Undefined where nothing is said of how many, how large or where. */
  readonly layout: SceneLayout | undefined;
  /** Undefined where no colour is named. */
  readonly background: Background | undefined;
  readonly style: EmojiStyle;
}

const COLOURS = Object.keys(BACKGROUNDS) as Background[];
const BACKGROUND = new RegExp(`(?:,| on an?| with an?) (${COLOURS.join("|")}) background$`);
const STYLE = new RegExp(`, (${EMOJI_STYLES.map((style) => style.toLowerCase()).join("|")}) style$`);
const NUMBERS: Readonly<Record<string, SceneLayout>> = Object.fromEntries(
  COUNT_LAYOUTS.flatMap((layout, index) => [
    [layout, layout],
    [String(index + 2), layout],
  ]),
);
const COUNTED = new RegExp(`^(?:an? (?:picture|group) of )?(${Object.keys(NUMBERS).join("|")}) (.+)$`);

/** Ways to say where things are; the order of the two where the second is named first. */
const PLACES: readonly (readonly [RegExp, SceneLayout, isTurned?: true])[] = [
  [/^(.+) on the left and (.+) on the right$/, "beside"],
  [/^(.+) at the top and (.+) at the bottom$/, "above"],
  [/^(.+) to the left of (.+)$/, "beside"],
  [/^(.+) to the right of (.+)$/, "beside", true],
  [/^(.+) (?:above|over) (.+)$/, "above"],
  [/^(.+) (?:below|under) (.+)$/, "above", true],
  [/^(.+) on the left(?: side)?$/, "left"],
  [/^(.+) on the right(?: side)?$/, "right"],
  [/^(.+) (?:at the top|in the upper half)$/, "top"],
  [/^(.+) (?:at the bottom|in the lower half)$/, "bottom"],
  [/^(?:an? |the )?(?:small|tiny|little) (.+)$/, "small"],
  [/^(?:an? |the )?(?:big|large|huge) (.+)$/, "large"],
];

export function askedScene(prompt: string, names: SubjectNames): AskedScene {
  const text = prompt
    .toLowerCase()
    .replace(/\s+/g, " ")
    .replace(/[ .]+$/, "")
    .trimStart();
  const styled = cutEnd(text, STYLE);
  const { rest, found } = cutEnd(styled.rest, BACKGROUND);
  return {
    ...contentOf(rest, names),
    background: COLOURS.find((colour) => colour === found),
    style: EMOJI_STYLES.find((style) => style.toLowerCase() === styled.found) ?? DEFAULT_STYLE,
  };
}

function cutEnd(text: string, end: RegExp): { readonly rest: string; readonly found: string | undefined } {
  const match = end.exec(text);
  return match === null
    ? { rest: text, found: undefined }
    : { rest: text.slice(0, match.index), found: match[1] };
}

function contentOf(text: string, names: SubjectNames): Pick<AskedScene, "subjects" | "layout"> {
  const counted = COUNTED.exec(text);
  if (counted !== null) {
    return { subjects: names.in(counted[2] as string), layout: NUMBERS[counted[1] as string] };
  }
  for (const [pattern, layout, isTurned] of PLACES) {
    const match = pattern.exec(text);
    if (match === null) continue;
    const things = match.slice(1).map((phrase) => names.in(phrase));
    // A name may hold such words itself ("globe showing the Americas", "top hat"): each part must name one thing.
    if (!things.every((own) => own.length === 1)) continue;
    const subjects = things.flat();
    return { subjects: isTurned === true ? subjects.toReversed() : subjects, layout };
  }
  return { subjects: names.in(text), layout: undefined };
}
