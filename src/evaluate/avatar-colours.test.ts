/** @file Colours of made-up portraits: a head of hair, a face, a shirt. */
import { expect, it } from "vitest";
import attributes from "../train/data/emoji/avatar-attributes.json" with { type: "json" };
import { avatarColours } from "./avatar-colours.ts";
import { block, type Colour, disc, noisy, scene } from "./test-pictures.ts";

const rgb = (hex: string): Colour =>
  [0, 2, 4].map((at) => Number.parseInt(hex.slice(at, at + 2), 16)) as never;

function portrait(hair: string, shirt: string) {
  return scene([
    [disc(rgb(attributes.skin)), [0.35, 0.2, 0.35]],
    [disc(rgb(hair)), [0.25, 0.05, 0.5]],
    [block([0, 0, 0]), [0.2, 0.66, 0.05]],
    [block(rgb(shirt)), [0.2, 0.7, 0.6]],
  ]);
}

it.each(Object.entries(attributes.hairColours))("sees %s hair with any shirt", (name, hex) => {
  for (const [shirt, other] of Object.entries(attributes.shirtColours)) {
    const drawn = portrait(hex, other);
    expect(avatarColours(drawn)).toEqual({ hair: name, shirt });
    expect(avatarColours(noisy(drawn, 5))).toEqual({ hair: name, shirt });
  }
});

it("sees none where there is none", () => {
  expect(avatarColours(scene([]))).toEqual({ hair: undefined, shirt: undefined });
});
