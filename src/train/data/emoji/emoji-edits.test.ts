/** @file Edits change what they say and nothing else. */
import { describe, expect, it } from "vitest";
import { CounterRng } from "../../../tensor/counter-rng.ts";
import { captionEdit, EDIT_KINDS, type Edit, type EditKind, makeEdit } from "./emoji-edits.ts";
import { square } from "./test-subjects.ts";

const subjects = ["dog", "cat", "car", "apple"].map((id) => square(id, "red"));

function edits(kind: EditKind, count = 40): Edit[] {
  const rng = new CounterRng(3);
  const material = { rng, styles: ["3D", "flat"] as const, subject: () => subjects[rng.below(4)]! };
  const made: Edit[] = [];
  while (made.length < count) {
    const edit = makeEdit(kind, material);
    if (edit !== undefined) made.push(edit);
  }
  return made;
}

/** The fields in which source and target differ. */
function changes({ source, target }: Edit): string[] {
  const names = ["layout", "style", "background", "first", "second"] as const;
  return names.filter((name) => source[name] !== target[name]);
}

describe("makeEdit", () => {
  it.each([
    ["background", [["background"]]],
    ["style", [["style"]]],
    ["mirror", [[]]],
    ["enlarge", [["layout"]]],
    ["shrink", [["layout"]]],
    ["move", [["layout"]]],
    ["count", [["layout"]]],
    ["replace", [["first"]]],
  ] as const)("%s changes that alone", (kind, expected) => {
    for (const edit of edits(kind)) expect(expected).toContainEqual(changes(edit));
  });

  it("adds beside what stays in its place, and removes it again", () => {
    for (const { source, target, instructions } of edits("add")) {
      expect(["beside", "above"]).toContain(target.layout);
      const stays = source.layout === "left" || source.layout === "top" ? target.first : target.second;
      const comes = stays === target.first ? target.second : target.first;
      expect(stays).toBe(source.first);
      expect(instructions[0]).toContain(`add ${comes!.withArticle}`);
    }
    for (const { source, target } of edits("remove")) {
      expect(["beside", "above"]).toContain(source.layout);
      expect([source.first, source.second]).toContain(target.first);
    }
  });

  it("marks mirror images alone as such", () => {
    for (const kind of EDIT_KINDS) {
      expect(edits(kind, 5).every(({ mirrored }) => mirrored === (kind === "mirror"))).toBe(true);
    }
  });
});

describe("captionEdit", () => {
  it("puts the pictures before and after the words", () => {
    const [edit] = edits("background", 1);
    const captions = captionEdit(edit!);
    expect(captions[0]?.text).toBe(`<image_0>make the background ${edit!.target.background}<image_1>`);
    expect(captions.reduce((sum, { weight }) => sum + weight, 0)).toBeCloseTo(1, 6);
  });
});
