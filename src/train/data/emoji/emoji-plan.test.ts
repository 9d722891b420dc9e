/** @file What the plan of the emoji data promises: nothing held out is trained on, the same seed gives the same plan. */
import { describe, expect, it } from "vitest";
import { ConfigError } from "../../../errors.ts";
import { heldOutStyle, planEmojiData, sceneIdentity } from "./emoji-plan.ts";
import type { Scene } from "./emoji-scenes.ts";
import { EMOJI_STYLES } from "./emoji-sets.ts";
import type { EmojiSubject } from "./emoji-subjects.ts";

const icon = { slug: "", body: "", viewBox: [0, 0, 1, 1] } as const;
const subjects: EmojiSubject[] = Array.from({ length: 200 }, (_, index) => ({
  id: `thing-${index}`,
  name: `thing ${index}`,
  withArticle: `a thing ${index}`,
  plural: index % 4 === 0 ? undefined : `things ${index}`,
  synonym: undefined,
  category: "objects",
  icons: new Map(EMOJI_STYLES.slice(0, index % 2 === 0 ? 6 : 3).map((style) => [style, icon])),
}));
const options = { subjects, seed: 7, sceneShare: 0.25 };
const shown = (scene: Scene): string[] =>
  [scene.first, ...(scene.second === undefined ? [] : [scene.second])].map(
    (one) => `${one.id}/${scene.style}`,
  );

describe("planEmojiData", () => {
  const plan = planEmojiData(options);

  it("holds out one other style of about a fifth of the subjects with four styles or more", () => {
    expect(plan.heldOut.length).toBeGreaterThan(10);
    expect(plan.heldOut.length).toBeLessThan(32);
    expect(plan.heldOut.every((scene) => scene.style !== "noto" && scene.first.icons.size >= 4)).toBe(true);
    expect(new Set(plan.heldOut.map((scene) => scene.first.id)).size).toBe(plan.heldOut.length);
  });

  it("shows nothing of that in training, neither alone nor in a scene", () => {
    const heldOut = new Set(plan.heldOut.flatMap(shown));
    expect(plan.train.flatMap(shown).filter((pair) => heldOut.has(pair))).toEqual([]);
  });

  it("holds the same pairs out of a smaller set", () => {
    const small = planEmojiData({ ...options, subjects: subjects.slice(0, 50) });
    const all = new Set(plan.heldOut.map(sceneIdentity));
    expect(small.heldOut.length).toBeGreaterThan(0);
    expect(small.heldOut.every((scene) => all.has(sceneIdentity(scene)))).toBe(true);
  });

  it("shows every other subject and style alone on white, once", () => {
    const singles = plan.train.filter((scene) => scene.layout === "single" && scene.background === "white");
    const pairs = subjects.reduce((sum, subject) => sum + subject.icons.size, 0);
    expect(singles.length + plan.heldOut.length).toBe(pairs);
    expect(new Set(singles.map(sceneIdentity)).size).toBe(singles.length);
  });

  it("has the share of scenes asked for, all different, none counting what cannot be counted", () => {
    const scenes = plan.train.filter((scene) => scene.layout !== "single" || scene.background !== "white");
    expect(scenes.length / plan.train.length).toBeCloseTo(0.25, 2);
    expect(new Set(scenes.map(sceneIdentity)).size).toBe(scenes.length);
    const counted = scenes.filter((scene) => ["two", "three", "four"].includes(scene.layout));
    expect(counted.length).toBeGreaterThan(0);
    expect(counted.every((scene) => scene.first.plural !== undefined)).toBe(true);
    const noto = scenes.filter((scene) => scene.style === "noto").length / scenes.length;
    expect(noto).toBeGreaterThan(0.4);
  });

  it("depends on the seed alone", () => {
    const identities = (seed: number): string[] =>
      planEmojiData({ ...options, seed }).train.map(sceneIdentity);
    expect(identities(7)).toEqual(plan.train.map(sceneIdentity));
    expect(identities(8)).not.toEqual(plan.train.map(sceneIdentity));
    expect(subjects.map((subject) => heldOutStyle(subject, 7))).not.toEqual(
      subjects.map((subject) => heldOutStyle(subject, 8)),
    );
  });

  it("refuses shares outside [0, 1) and more scenes than there can be", () => {
    expect(() => planEmojiData({ ...options, sceneShare: 1 })).toThrow(ConfigError);
    expect(() => planEmojiData({ ...options, sceneShare: Number.NaN })).toThrow(ConfigError);
    expect(() => planEmojiData({ ...options, subjects: subjects.slice(0, 1), sceneShare: 0.99 })).toThrow(
      ConfigError,
    );
  });
});
