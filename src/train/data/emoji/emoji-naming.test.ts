/** @file Names from the installed packages, and what is said when they are missing. */
import { beforeAll, describe, expect, it } from "vitest";
import { type EmojiNaming, loadEmojiNaming } from "./emoji-naming.ts";

let naming: EmojiNaming;
beforeAll(async () => {
  naming = await loadEmojiNaming();
});

describe("loadEmojiNaming", () => {
  it("knows categories and code points, without variation selectors", () => {
    expect(naming.categories["Food & Drink"]).toContain("red-apple");
    expect(naming.codesOf("red-apple")).toEqual(["1f34e"]);
    expect(naming.codesOf("red-heart")).toEqual(["2764"]);
    expect(naming.codesOf("nothing of the kind")).toEqual([]);
  });

  it("knows what other sets call it, and what goes with it", () => {
    expect(naming.otherSlugs("red-triangle-pointed-up")).toContain("red-triangle");
    expect(naming.otherSlugs("dog")).not.toContain("dog");
    expect(naming.keywords("red-apple")).toContain("fruit");
    expect(naming.keywords("red-heart").length).toBeGreaterThan(0);
  });
});
