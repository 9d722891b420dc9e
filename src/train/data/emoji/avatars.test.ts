/** @file Portraits: held-out pairs of colours stay out, captions say what is drawn. */
import { describe, expect, it } from "vitest";
import { ConfigError } from "../../../errors.ts";
import { decodeImage } from "../../../files/decode-image.ts";
import { captionAvatar, drawTraits, isHeldOutAvatar, planAvatars, writeAvatar } from "./avatars.ts";

describe("drawTraits", () => {
  it("keeps held-out pairs of colours apart, all portraits being different", () => {
    const train = drawTraits(200, 1, false);
    expect(train.some(isHeldOutAvatar)).toBe(false);
    expect(new Set(train.map((traits) => JSON.stringify(traits))).size).toBe(200);
    expect(drawTraits(20, 1, true).every(isHeldOutAvatar)).toBe(true);
    expect(drawTraits(5, 1, false)).toEqual(train.slice(0, 5));
  });

  it("refuses more than there are", () => {
    expect(() => drawTraits(50_000, 1, true)).toThrow(ConfigError);
  });
});

describe("captionAvatar", () => {
  it("names every attribute", () => {
    const traits = {
      hair: "grayBun",
      hairColour: "red",
      shirtColour: "orange",
      face: "angryWithFang",
      glasses: "glasses",
    } as const;
    const captions = captionAvatar(traits);
    expect(captions.map(({ text }) => text)).toEqual([
      "an angry person with red hair in a bun, glasses and an orange shirt",
      "avatar: angry, red hair in a bun, glasses, orange shirt",
      "a portrait of an angry person with red hair in a bun, glasses and an orange shirt",
    ]);
    expect(captions.reduce((sum, { weight }) => sum + weight, 0)).toBe(1);
    const [closed] = captionAvatar({ ...traits, face: "eyesClosed", glasses: null });
    expect(closed?.text).toBe("a person with closed eyes, red hair in a bun and an orange shirt");
  });
});

describe("planAvatars", () => {
  it("draws portraits in the colours of their captions", async () => {
    const { train, heldOut, credits } = await planAvatars(3, 1);
    expect([train.length, heldOut.length]).toEqual([3, 1]);
    expect(credits[0]?.licence).toBe("CC0-1.0");
    const [, json, [image]] = await writeAvatar(train[0]!);
    expect(json.metadata).toMatchObject({ ...train[0]!.traits, licence: "CC0-1.0" });
    const picture = await decodeImage(image!.bytes, "avatar");
    expect([picture.width, picture.height]).toEqual([256, 256]);
    // White in the upper corner, the shirt in the middle of the bottom.
    expect([...picture.data.subarray(0, 3)]).toEqual([255, 255, 255]);
  });

  it("does nothing for none", async () => {
    expect(await planAvatars(0, 1)).toEqual({ train: [], heldOut: [], credits: [] });
  });
});
