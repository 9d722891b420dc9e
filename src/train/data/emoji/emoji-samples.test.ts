/** @file What is written of scenes, edits and texts. */
import { describe, expect, it } from "vitest";
import type { Edit } from "./emoji-edits.ts";
import { EmojiRenderer } from "./emoji-render.ts";
import { EmojiSampleMaker } from "./emoji-samples.ts";
import type { Scene } from "./emoji-scenes.ts";
import { EMOJI_STYLES } from "./emoji-styles.ts";
import { square } from "./test-subjects.ts";

const credit = {
  set: "Squares",
  author: "Nobody",
  authorUrl: "",
  licence: "MIT",
  licenceTitle: "MIT",
  licenceUrl: "",
  package: "squares",
  version: "1.0.0",
};
const sets = EMOJI_STYLES.map((style) => ({ style, credit, icon: () => undefined }));
const maker = new EmojiSampleMaker(sets, new EmojiRenderer(), new Map([["dog", 3]]));
const scene: Scene = { layout: "left", style: "3D", background: "white", first: square("dog", "red") };

describe("EmojiSampleMaker", () => {
  it("gives the same picture the same key, and says where it is from", async () => {
    const [key, json, images] = await maker.picture(scene);
    expect(key).toBe((await maker.picture({ ...scene }))[0]);
    expect(key).not.toBe((await maker.picture({ ...scene, layout: "right" }))[0]);
    expect(images).toHaveLength(1);
    expect(json.metadata).toMatchObject({ subject: "dog", layout: "left", rank: 3, source: "squares@1.0.0" });
    expect(json.metadata).not.toHaveProperty("held_out");
  });

  it("writes an edit with both pictures and what has changed", async () => {
    const target: Scene = { ...scene, background: "blue" };
    const edit: Edit = { kind: "background", source: scene, target, mirrored: false, instructions: ["blue"] };
    const [, json, images] = (await maker.edit(edit))!;
    expect(images).toHaveLength(2);
    expect(json.metadata).toMatchObject({
      edit: "background",
      background: "white",
      target: { background: "blue" },
    });
  });

  it("leaves out a mirror image that is the picture itself", async () => {
    const edit = (layout: Scene["layout"]): Edit => {
      const source: Scene = { ...scene, layout };
      return { kind: "mirror", source, target: source, mirrored: true, instructions: ["mirror it"] };
    };
    expect(await maker.edit(edit("single"))).toBeNull();
    expect(await maker.edit(edit("left"))).not.toBeNull();
  });

  it("writes a text without pictures", () => {
    expect(maker.text("A dog.").slice(1)).toEqual([{ text: "A dog." }, []]);
  });
});
