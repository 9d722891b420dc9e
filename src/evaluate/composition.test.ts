/** @file Backgrounds, counts and windows of composed pictures. */
import { describe, expect, it } from "vitest";
import { backgroundOf } from "../train/data/emoji/background-colour.ts";
import { BACKGROUNDS, type Background } from "../train/data/emoji/emoji-scenes.ts";
import { countIn } from "./counting.ts";
import { featureDistance, pictureFeature } from "./picture-feature.ts";
import { asSmallIcon, composed, cutOut, windowsOf } from "./scene-windows.ts";
import { blurred, disc, MIDDLE, moved, noisy, type Place, scene, wedge } from "./test-pictures.ts";

const CELLS: readonly Place[] = [
  [1 / 32, 1 / 32, 7 / 16],
  [17 / 32, 1 / 32, 7 / 16],
  [1 / 32, 17 / 32, 7 / 16],
  [17 / 32, 17 / 32, 7 / 16],
];
const LOW: Place = [9 / 32, 17 / 32, 7 / 16];
const SIDES: readonly Place[] = [
  [1 / 32, 9 / 32, 7 / 16],
  [17 / 32, 9 / 32, 7 / 16],
];

describe("backgroundOf", () => {
  it.each(Object.keys(BACKGROUNDS) as Background[])("knows %s behind a subject, with noise", (name) => {
    const picture = scene([[disc([120, 90, 40]), MIDDLE]], { ground: BACKGROUNDS[name] });
    expect(backgroundOf(picture)).toBe(name);
    expect(backgroundOf(noisy(picture, 12))).toBe(name);
  });

  it("is not deceived by what reaches into the rim", () => {
    const large = scene([[wedge([255, 0, 0]), [0, 0, 1]]], { ground: BACKGROUNDS.blue });
    expect(backgroundOf(large)).toBe("blue");
  });
});

describe("windowsOf, cutOut", () => {
  it("show each icon of a scene as a small picture of it alone", () => {
    const alone = scene([[wedge([30, 120, 60]), MIDDLE]]);
    const pair = scene([
      [wedge([30, 120, 60]), SIDES[0]!],
      [disc([200, 30, 30]), SIDES[1]!],
    ]);
    const [left, right] = windowsOf("beside", 64).map((window) => pictureFeature(cutOut(pair, window)));
    const wanted = pictureFeature(asSmallIcon(alone));
    expect(featureDistance(left!, wanted)).toBeLessThan(0.1 * featureDistance(right!, wanted));
    expect(windowsOf("four", 128)).toHaveLength(4);
    expect(windowsOf("above", 256)).toEqual([
      { offset: [0, 64], size: [128, 128] },
      { offset: [128, 64], size: [128, 128] },
    ]);
  });
});

describe("countIn", () => {
  const thing = wedge([30, 60, 200]);
  const alone = scene([[thing, MIDDLE]]);
  const several = {
    1: [MIDDLE],
    2: SIDES,
    3: [CELLS[0]!, CELLS[1]!, LOW],
    4: CELLS,
  } as const;

  it.each([1, 2, 3, 4] as const)("counts %i, also where they are blurred or moved a little", (count) => {
    const drawn = scene(several[count].map((place) => [thing, place]));
    expect(countIn(drawn, alone)).toBe(count);
    expect(countIn(blurred(noisy(drawn, 10)), alone)).toBe(count);
    expect(countIn(moved(drawn, 2, -1), alone)).toBe(count);
  });

  it("sees that one is missing", () => {
    const three = scene(CELLS.slice(0, 3).map((place) => [thing, place]));
    expect(countIn(three, alone)).toBe(3);
    expect(countIn(scene([]), alone)).toBe(0);
    expect(countIn(scene([[thing, CELLS[0]!]]), alone)).toBe(1);
  });

  it("composes as the data does", () => {
    const two = scene(SIDES.map((place) => [thing, place]));
    const difference = composed(alone, "two").data.reduce((sum, v, i) => sum + Math.abs(v - two.data[i]!), 0);
    expect(difference / two.data.length).toBeLessThan(6);
  });
});
