/** @file What prompts ask for is what the data's own captions say, and nothing where they say nothing. */
import { describe, expect, it } from "vitest";
import { captionScene } from "../../train/data/emoji/emoji-captions.ts";
import { type Scene, type SceneLayout, SINGLE_LAYOUTS } from "../../train/data/emoji/emoji-scenes.ts";
import { describeSlug, type EmojiSubject } from "../../train/data/emoji/emoji-subjects.ts";
import { SubjectNames } from "../caption-subject.ts";
import { askedScene } from "./asked-scene.ts";

const IDS = [
  "dog",
  "red-apple",
  "top-hat",
  "globe-showing-europe-africa",
  "teacup-without-handle",
  "hot-dog",
];
const subjects = IDS.map(
  (id): EmojiSubject => ({ id, ...describeSlug(id), keywords: [], category: "objects", icons: new Map() }),
);
const names = new SubjectNames(
  subjects.map(({ id, name, plural, synonyms }) => ({
    id,
    names: [name, ...synonyms, ...(plural === undefined ? [] : [plural])],
  })),
);
const [dog, apple, hat] = subjects as [EmojiSubject, EmojiSubject, EmojiSubject];
const PLAIN = { style: "3D", background: "white", first: dog } as const;

/** Captions of a pair that do not say which is where. */
const isUnordered = (caption: string): boolean =>
  / and | next to /.test(caption) && !/ (?:on the left|at the top) and /.test(caption);

function scenesOf(first: EmojiSubject, second: EmojiSubject): Scene[] {
  const singles = SINGLE_LAYOUTS.map((layout): Scene => ({ ...PLAIN, first, layout }));
  const counts = (["two", "three", "four"] as const).map((layout): Scene => ({ ...PLAIN, first, layout }));
  const pairs = (["beside", "above"] as const).map((layout): Scene => ({ ...PLAIN, first, second, layout }));
  const coloured: Scene = { ...PLAIN, first, layout: "two", background: "orange" };
  const styled: Scene = { ...PLAIN, first, layout: "left", style: "flat", background: "turquoise" };
  return [...singles, ...counts, ...pairs, coloured, styled];
}

describe("askedScene", () => {
  it.each([
    [dog, apple],
    [hat, dog],
    [apple, hat],
  ])("reads every caption of the data's scenes", (first, second) => {
    for (const scene of scenesOf(first, second)) {
      for (const { text } of captionScene(scene)) {
        const asked = askedScene(text, names);
        const said: SceneLayout | undefined =
          scene.layout === "single" || (scene.second !== undefined && isUnordered(text))
            ? undefined
            : scene.layout;
        expect(asked.layout, text).toBe(said);
        const things = [first.id, ...(scene.second === undefined ? [] : [second.id])];
        if (said === undefined) expect([...asked.subjects].sort(), text).toEqual([...things].sort());
        else expect(asked.subjects, text).toEqual(things);
        expect(asked.style, text).toBe(scene.style);
        expect(asked.background, text).toBe(/background/.test(text) ? scene.background : undefined);
      }
    }
  });

  it("is lenient with capitals, spaces and full stops", () => {
    expect(askedScene("  THREE  dogs on a Blue background. ", names)).toEqual({
      ...{ subjects: ["dog"], layout: "three", background: "blue", style: "3D" },
    });
  });

  it("takes no part of a name for a place or a number", () => {
    expect(askedScene("a top hat", names)).toMatchObject({ subjects: ["top-hat"], layout: undefined });
    expect(askedScene("a hot dog", names).subjects).toEqual(["hot-dog"]);
    expect(askedScene("a dog on the left of something", names).layout).toBeUndefined();
    expect(askedScene("five dogs", names).layout).toBeUndefined();
  });
});
