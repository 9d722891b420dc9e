/** @file The subjects that come out of the installed icon sets. */
import { tmpdir } from "node:os";
import { beforeAll, describe, expect, it } from "vitest";
import { ConfigError } from "../../../errors.ts";
import { type EmojiNaming, loadEmojiNaming } from "./emoji-naming.ts";
import { loadEmojiSets } from "./emoji-sets.ts";
import { EMOJI_STYLES, type EmojiSet } from "./emoji-styles.ts";
import {
  EMOJI_NAMES,
  EMOJI_RANKING,
  type EmojiSubject,
  listSubjects,
  selectSubjects,
} from "./emoji-subjects.ts";

let naming: EmojiNaming;
let sets: EmojiSet[];
let subjects: EmojiSubject[];
const byId = (id: string): EmojiSubject | undefined => subjects.find((subject) => subject.id === id);

beforeAll(async () => {
  naming = await loadEmojiNaming();
  sets = await loadEmojiSets(naming, EMOJI_STYLES);
  subjects = listSubjects(naming, await loadEmojiSets(naming));
});

describe("loadEmojiSets", () => {
  it("names the style, author, licence and version of each set", () => {
    expect(sets.map((set) => set.style)).toEqual([...EMOJI_STYLES]);
    expect(sets.map(({ style, credit: { author, licence } }) => [style, author, licence])).toEqual([
      ["3D", "Microsoft Corporation and LobeHub", "MIT"],
      ["flat", "Microsoft Corporation", "MIT"],
      ["noto", "Google Inc", "Apache-2.0"],
      ["twitter", "Twitter", "CC-BY-4.0"],
      ["emojione", "Emoji One", "CC-BY-4.0"],
      ["blob", "Google Inc", "Apache-2.0"],
      ["glossy", "Microsoft Corporation", "MIT"],
    ]);
    for (const { credit } of sets) expect(credit.version).toMatch(/^1\.\d+\.\d+$/);
  });

  it("follows aliases and hides hidden icons and what objects inherit", () => {
    const noto = sets.find(({ style }) => style === "noto")!;
    expect(noto.icon("adult")?.slug).toBe("person");
    expect(noto.icon("0")).toBeUndefined();
    expect(noto.icon("constructor")).toBeUndefined();
  });

  it("finds the packages from a folder that has none through its own place", async () => {
    const [only] = await loadEmojiSets(naming, ["emojione"], tmpdir());
    expect(only?.credit.package).toBe("@iconify-json/emojione");
  });
});

describe("listSubjects", () => {
  it("keeps more than a thousand subjects that both styles have", () => {
    expect(subjects.length).toBeGreaterThan(1100);
    expect(subjects.every((subject) => subject.icons.size === 2)).toBe(true);
    expect(byId("red-apple")?.icons.get("3D")).toMatchObject({
      kind: "picture",
      path: expect.stringMatching(/1f34e\.webp$/),
    });
  });

  it("asks three of many styles, the default one among them", () => {
    const all = listSubjects(naming, sets);
    expect(Math.min(...all.map((subject) => subject.icons.size))).toBe(3);
    expect(all.every((subject) => subject.icons.has("3D"))).toBe(true);
    const without = sets.filter(({ style }) => style !== "3D");
    expect(() => listSubjects(naming, without)).toThrow(ConfigError);
  });

  it("leaves out variants, flags, clock faces, buttons and most symbols", () => {
    const left = subjects.filter((subject) =>
      /skin-tone|flag-for|oclock|thirty|^(man|woman|family)-|japanese-.*-button|keycap|facing-right/.test(
        subject.id,
      ),
    );
    expect(left.map((subject) => subject.id)).toEqual([]);
    expect(subjects.filter((subject) => subject.category === "symbols")).toHaveLength(53);
  });

  it("gives natural, unique names", () => {
    const names = subjects.map((subject) => subject.name);
    expect(new Set(names).size).toBe(names.length);
    expect(byId("red-apple")).toMatchObject({
      name: "red apple",
      withArticle: "a red apple",
      plural: "red apples",
    });
    expect(byId("automobile")).toMatchObject({ name: "car", synonyms: ["automobile"], category: "travel" });
    expect(byId("scissors")).toMatchObject({ withArticle: "scissors", plural: undefined });
    expect(byId("statue-of-liberty")).toMatchObject({
      withArticle: "the Statue of Liberty",
      plural: undefined,
    });
    expect(names.filter((name) => name.includes("-face-") || name.includes("  "))).toEqual([]);
  });

  it("matches slugs that differ between sets, and drops icons that stand for another subject", () => {
    expect(byId("black-bird")?.icons.get("flat")?.slug).toBe("blackbird");
    const all = listSubjects(naming, sets);
    const shown = (id: string) => all.find((subject) => subject.id === id)?.icons.get("emojione");
    expect(shown("bear")?.slug).toBe("bear-face");
    expect(shown("cricket-game")?.slug).not.toBe(shown("cricket")?.slug);
  });

  it("has no name for a slug that is not a subject, and none that only repeats the slug", () => {
    const known = new Set(Object.values(naming.categories).flat());
    expect(Object.keys(EMOJI_NAMES).filter((slug) => !known.has(slug))).toEqual([]);
    const idle = Object.entries(EMOJI_NAMES).filter(
      ([slug, entry]) =>
        entry.name === slug.replaceAll("-", " ") && entry.kind === undefined && entry.also === undefined,
    );
    expect(idle.map(([slug]) => slug)).toEqual([]);
  });

  it("lets no synonym name another subject", () => {
    const names = new Set(subjects.map((subject) => subject.name));
    const synonyms = subjects.flatMap((subject) => subject.synonyms);
    expect(synonyms.filter((synonym) => names.has(synonym))).toEqual([]);
    expect(new Set(synonyms).size).toBe(synonyms.length);
  });

  it("takes other sets' names where they name one subject and are no reordering", async () => {
    const others: Readonly<Record<string, string[]>> = {
      dog: ["pooch", "pet"],
      cat: ["pet"],
      "red-heart": ["heart-red"],
    };
    const set = await loadEmojiSets(naming);
    const listed = listSubjects({ ...naming, otherSlugs: (slug) => others[slug] ?? [] }, set);
    const synonymsOf = (id: string) => listed.find((subject) => subject.id === id)?.synonyms;
    expect(synonymsOf("dog")).toContain("pooch");
    expect([...synonymsOf("dog")!, ...synonymsOf("cat")!]).not.toContain("pet");
    expect(synonymsOf("red-heart")).not.toContain("heart red");
  });
});

describe("selectSubjects", () => {
  it("ranks known, different subjects only, at least 400 of them", () => {
    // One is drawn by fewer sets than the others.
    expect(EMOJI_RANKING.filter((id) => byId(id) === undefined)).toEqual(["lime"]);
    expect(new Set(EMOJI_RANKING).size).toBe(EMOJI_RANKING.length);
    expect(EMOJI_RANKING.length).toBeGreaterThanOrEqual(400);
  });

  it("takes the first of the ranking, then the rest", () => {
    expect(selectSubjects(subjects, 3).map((subject) => subject.id)).toEqual(EMOJI_RANKING.slice(0, 3));
    const all = selectSubjects(subjects);
    expect(new Set(all).size).toBe(subjects.length);
  });

  it("refuses more than there are", () => {
    expect(() => selectSubjects(subjects, 5000)).toThrow(ConfigError);
    expect(() => selectSubjects(subjects, 0)).toThrow(ConfigError);
  });
});
