/** @file The committed lists name subjects that exist, and are recognised in every scene. */
import { beforeAll, describe, expect, it } from "vitest";
import { HELD_OUT, heldOutKind } from "./emoji-held-out.ts";
import { loadEmojiNaming } from "./emoji-naming.ts";
import {
  COLOURED_BACKGROUNDS,
  COUNT_LAYOUTS,
  type Scene,
  type SceneLayout,
  SINGLE_LAYOUTS,
} from "./emoji-scenes.ts";
import { loadEmojiSets } from "./emoji-sets.ts";
import { listSubjects } from "./emoji-subjects.ts";
import { square } from "./test-subjects.ts";

let known: Set<string>;
beforeAll(async () => {
  const naming = await loadEmojiNaming();
  known = new Set(listSubjects(naming, await loadEmojiSets(naming)).map(({ id }) => id));
});

describe("held-out.json", () => {
  it("names subjects, backgrounds and layouts that there are, nothing of an unseen subject", () => {
    const ids = [
      ...HELD_OUT.unseen,
      ...HELD_OUT.styles,
      ...HELD_OUT.pairs.flat(),
      ...[...HELD_OUT.backgrounds, ...HELD_OUT.layouts].map(([id]) => id),
    ];
    expect(ids.filter((id) => !known.has(id))).toEqual([]);
    const backgrounds: readonly string[] = COLOURED_BACKGROUNDS;
    expect(HELD_OUT.backgrounds.filter(([, name]) => !backgrounds.includes(name))).toEqual([]);
    const layouts: readonly string[] = [...SINGLE_LAYOUTS, ...COUNT_LAYOUTS];
    expect(HELD_OUT.layouts.filter(([, name]) => !layouts.includes(name))).toEqual([]);
    const unseen = new Set(HELD_OUT.unseen);
    expect(ids.slice(HELD_OUT.unseen.length).filter((id) => unseen.has(id))).toEqual([]);
  });

  it("is long enough to tell rates apart", () => {
    expect(HELD_OUT.unseen.length).toBeGreaterThanOrEqual(60);
    expect(HELD_OUT.backgrounds.length).toBeGreaterThanOrEqual(100);
    expect(HELD_OUT.pairs.length).toBeGreaterThanOrEqual(80);
  });
});

describe("heldOutKind", () => {
  const free = square("free", "red");
  const scene: Scene = { layout: "single", style: "3D", background: "white", first: free };
  const named = (id: string | undefined) => square(id!, "red");

  it("finds each kind, also in the second place", () => {
    const unseen = named(HELD_OUT.unseen[0]);
    const style = named(HELD_OUT.styles[0]);
    expect(heldOutKind(scene)).toBeUndefined();
    expect(heldOutKind({ ...scene, first: unseen })).toBe("unseen");
    expect(heldOutKind({ ...scene, layout: "beside", second: unseen })).toBe("unseen");
    expect(heldOutKind({ ...scene, first: style, style: "flat" })).toBe("style");
    expect(heldOutKind({ ...scene, first: style })).toBeUndefined();
    const [subject, background] = HELD_OUT.backgrounds[0]!;
    const colour = COLOURED_BACKGROUNDS.find((name) => name === background)!;
    expect(heldOutKind({ ...scene, first: named(subject), background: colour })).toBe("background");
    const [counted, layout] = HELD_OUT.layouts[0]!;
    expect(heldOutKind({ ...scene, first: named(counted), layout: layout as SceneLayout })).toBe("layout");
  });

  it("finds pairs in either order, and among others", () => {
    const [a, b] = HELD_OUT.pairs[0]!;
    const group = { layout: "trio", second: named(a), others: [named(b)] } as const;
    expect(heldOutKind({ ...scene, ...group })).toBe("pair");
    expect(heldOutKind({ ...scene, ...group, others: [named("another")] })).toBeUndefined();
    const pair: Scene = { ...scene, layout: "above", first: named(a), second: named(b) };
    expect(heldOutKind(pair)).toBe("pair");
    expect(heldOutKind({ ...pair, first: named(b), second: named(a) })).toBe("pair");
  });
});
