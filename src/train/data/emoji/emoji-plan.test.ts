/** @file What the plan of the emoji data promises: nothing held out is trained on, the same seed gives the same plan. */
import { describe, expect, it } from "vitest";
import { ConfigError } from "../../../errors.ts";
import { EDIT_KINDS } from "./emoji-edits.ts";
import { HELD_OUT, heldOutKind } from "./emoji-held-out.ts";
import { planEmojiData } from "./emoji-plan.ts";
import { countOf, isPair, kindsIn, type Scene, sceneIdentity, subjectsOf } from "./emoji-scenes.ts";
import { square } from "./test-subjects.ts";

const listed = [
  ...HELD_OUT.unseen.slice(0, 10),
  ...HELD_OUT.styles.slice(0, 20),
  ...HELD_OUT.pairs.flat().slice(0, 40),
  ...HELD_OUT.backgrounds.map(([id]) => id).slice(0, 40),
];
const ids = [...new Set([...listed, ...Array.from({ length: 60 }, (_, index) => `thing ${index}`)])];
const subjects = ids.map((id, index) => square(id, "red", index % 4 === 0 ? { plural: undefined } : {}));
const options = { subjects, seed: 7, sceneShare: 0.75, editShare: 0.25 };
const isPlain = (scene: Scene): boolean => scene.layout === "single" && scene.background === "white";

describe("planEmojiData", () => {
  const plan = planEmojiData(options);
  const train = [plan.singles, plan.styles, plan.scenes, plan.groups, plan.shapes].flat();
  const edited = plan.edits.flatMap(({ source, target }) => [source, target]);

  it("shows nothing of what is held out, neither in pictures nor in edits", () => {
    expect([...train, ...edited].filter((scene) => heldOutKind(scene) !== undefined)).toEqual([]);
    expect(plan.heldOut.length).toBeGreaterThan(40);
    expect(plan.heldOut.every((scene) => !["unseen", undefined].includes(heldOutKind(scene)))).toBe(true);
    expect(plan.unseen.map(({ first }) => first.id).sort()).toEqual(HELD_OUT.unseen.slice(0, 10).toSorted());
  });

  it("shows every other subject in every style alone on white, once", () => {
    const singles = [...plan.singles, ...plan.styles];
    expect(singles.filter((scene) => !isPlain(scene))).toEqual([]);
    expect(plan.singles.every(({ style }) => style === "3D")).toBe(true);
    const held = plan.heldOut.filter((scene) => heldOutKind(scene) === "style");
    expect(singles.length).toBe(2 * (subjects.length - 10) - held.length);
    expect(new Set(singles.map(sceneIdentity)).size).toBe(singles.length);
  });

  it("lists well known subjects first, and every subject once on a canvas that is no square", () => {
    const rank = ({ first, second }: Scene): number =>
      Math.max(ids.indexOf(first.id), second === undefined ? 0 : ids.indexOf(second.id));
    const ranks = plan.scenes.map(rank);
    expect(ranks).toEqual(ranks.toSorted((a, b) => a - b));
    expect(plan.shapes.every(({ size }) => size !== undefined && size[0] !== size[1])).toBe(true);
    expect(new Set(plan.shapes.map(({ first }) => first.id)).size).toBe(plan.shapes.length);
  });

  it("has the shares asked for, all scenes different, none counting what cannot be counted", () => {
    const { scenes } = plan;
    const pictures = plan.singles.length + plan.styles.length + scenes.length;
    expect(scenes.some(isPlain)).toBe(false);
    expect(scenes.length / pictures).toBeCloseTo(0.75, 2);
    expect(new Set(scenes.map(sceneIdentity)).size).toBe(scenes.length);
    const counted = [...scenes, ...edited].filter(({ layout }) => countOf(layout) !== undefined);
    expect(counted.every((scene) => scene.first.plural !== undefined)).toBe(true);
    expect(scenes.filter(({ layout }) => isPair(layout)).length / scenes.length).toBeCloseTo(0.25, 1);
    expect(plan.edits.length).toBe(Math.round(pictures * 0.25));
    for (const kind of EDIT_KINDS) {
      const share = plan.edits.filter((edit) => edit.kind === kind).length / plan.edits.length;
      expect(share).toBeCloseTo(1 / EDIT_KINDS.length, 1);
    }
  });

  it("has groups of three and four different subjects, half as many as scenes", () => {
    const { groups, scenes } = plan;
    expect(groups.length).toBe(Math.round(scenes.length / 2));
    for (const group of groups) expect(new Set(subjectsOf(group)).size).toBe(kindsIn(group.layout));
    expect(groups.filter(({ layout }) => layout === "quartet").length / groups.length).toBeCloseTo(0.75, 1);
    // The least known one of each decides where it stands.
    const ranks = groups.map((group) => Math.max(...subjectsOf(group).map(({ id }) => ids.indexOf(id))));
    expect(ranks).toEqual(ranks.toSorted((a, b) => a - b));
    const few = subjects.filter(({ id }) => id.startsWith("thing")).slice(0, 4);
    expect(planEmojiData({ ...options, subjects: few, sceneShare: 0.5 }).groups).toEqual([]);
  });

  it("depends on the seed alone", () => {
    const identities = (seed: number): string[] => {
      const { scenes, groups } = planEmojiData({ ...options, seed });
      return [...scenes, ...groups].map(sceneIdentity);
    };
    const planned = [...plan.scenes, ...plan.groups].map(sceneIdentity);
    expect(identities(7)).toEqual(planned);
    expect(identities(8)).not.toEqual(planned);
  });

  it("refuses shares outside [0, 1) and more scenes than there can be", () => {
    expect(() => planEmojiData({ ...options, sceneShare: 1 })).toThrow(ConfigError);
    expect(() => planEmojiData({ ...options, editShare: Number.NaN })).toThrow(ConfigError);
    const few = { ...options, subjects: [square("one", "red")], sceneShare: 0.999 };
    expect(() => planEmojiData(few)).toThrow(ConfigError);
  });
});
