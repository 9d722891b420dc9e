/** @file Rewards on small made-up pictures: what is asked for has more than what is not. */
import { describe, expect, it } from "vitest";
import { InputError } from "../../errors.ts";
import type { RgbImage } from "../../image/pixels.ts";
import { BACKGROUNDS } from "../../train/data/emoji/emoji-scenes.ts";
import { rewardsOf } from "../../train/reward/reward.ts";
import type { EvaluationData, SceneRecord } from "../emoji/evaluation-data.ts";
import { SHAPE_SCORER } from "../emoji/scorer.ts";
import { block, disc, MIDDLE, type Place, ring, scene, type Thing, wedge } from "../test-pictures.ts";
import { likenessReward } from "./likeness-reward.ts";
import { SCENE_REWARDS, type SceneReward } from "./reward-spec.ts";
import { sceneReward } from "./scene-rewards.ts";

const THINGS: Readonly<Record<string, Thing>> = {
  wedge: wedge([210, 40, 40]),
  disc: disc([40, 60, 210]),
  block: block([50, 170, 60]),
  ring: ring([130, 80, 40]),
};
const alone = (name: string): RgbImage => scene([[THINGS[name]!, MIDDLE]]);
const record = (name: string): SceneRecord => ({
  ...{ key: name, caption: name, captions: [name] },
  shows: { subject: name, style: "3D", layout: "single", background: "white" },
  load: async () => alone(name),
});
const data: Pick<EvaluationData, "scenes" | "subjects"> = {
  scenes: { seen: Object.keys(THINGS).map(record), heldOut: [] },
  subjects: Object.keys(THINGS).map((id) => ({ id, names: [id, `${id}s`] })),
};
const rewards = (name: SceneReward, prompt: string, ...pictures: readonly RgbImage[]) =>
  rewardsOf(
    sceneReward(name, data, SHAPE_SCORER).reward,
    pictures.map((pixels) => ({ prompt, pixels })),
  );

const half = (left: number, top: number): Place => [left / 32, top / 32, 7 / 16];
const [LEFT, RIGHT, TOP] = [half(1, 9), half(17, 9), half(9, 1)];
const CELLS = [half(1, 1), half(17, 1), half(1, 17), half(17, 17)];
const several = (name: string, count: number): RgbImage =>
  scene(CELLS.slice(0, count).map((place) => [THINGS[name]!, place] as const));

describe("rewards by detectors", () => {
  it("subject: 1 for the real picture, below 0 for another's", async () => {
    const [right, wrong, nothing] = await rewards(
      "subject",
      "a wedge",
      alone("wedge"),
      alone("ring"),
      scene([]),
    );
    expect(right).toBe(1);
    expect(wrong).toBe(-1);
    expect(nothing).toBeLessThan(0.5);
  });

  it("colour: larger the nearer the rim is to what was asked for", async () => {
    const on = (ground: readonly [number, number, number]) => scene([[THINGS.wedge!, MIDDLE]], { ground });
    const [right, near, wrong] = await rewards(
      ...(["colour", "a wedge on a blue background"] as const),
      ...[on(BACKGROUNDS.blue), on([80, 130, 230]), on(BACKGROUNDS.red)],
    );
    expect(right).toBe(1);
    expect(near).toBeGreaterThan(0);
    expect(near).toBeLessThan(1);
    expect(wrong).toBe(-1);
  });

  it("count: less the further off, and where other things stand", async () => {
    const drawn = [several("wedge", 4), several("wedge", 3), several("wedge", 2), several("ring", 4)];
    const [four = 0, three = 0, two = 0, rings = 0] = await rewards("count", "four wedges", ...drawn);
    expect(four).toBeGreaterThan(0.9);
    expect(three).toBeLessThanOrEqual(0.75);
    expect(two).toBeLessThan(three);
    expect(rings).toBeLessThan(0.2);
    const [many] = await rewards("count", "2 wedges", several("wedge", 4));
    expect(many).toBeLessThanOrEqual(0.5);
  });

  it("position: of two things, each at its place; of one, where it is", async () => {
    const pair = (left: string, right: string) =>
      scene([
        [THINGS[left]!, LEFT],
        [THINGS[right]!, RIGHT],
      ]);
    for (const prompt of ["a wedge to the left of a ring", "a ring to the right of a wedge"]) {
      const [right, turned, one] = await rewards(
        ...(["position", prompt] as const),
        ...[pair("wedge", "ring"), pair("ring", "wedge"), pair("wedge", "block")],
      );
      expect(right).toBeGreaterThan(0.5);
      expect(turned).toBeLessThan(0);
      expect(one).toBeGreaterThan(turned as number);
      expect(one).toBeLessThan(right as number);
    }
    const [there, elsewhere] = await rewards(
      ...(["position", "a wedge at the top"] as const),
      ...[scene([[THINGS.wedge!, TOP]]), scene([[THINGS.ring!, TOP]])],
    );
    expect(there).toBeGreaterThan(elsewhere as number);
  });

  it("judges each picture by its own prompt", async () => {
    const reward = sceneReward("count", data, SHAPE_SCORER).reward;
    const pixels = several("disc", 4);
    const given = ["two discs", "three discs", "four discs"].map((prompt) => ({ prompt, pixels }));
    const [two = 0, three = 0, four = 0] = await rewardsOf(reward, given);
    expect(two).toBeLessThan(three);
    expect(three).toBeLessThan(four);
  });

  it("refuses pictures that are no squares", async () => {
    const wide = { width: 2, height: 1, data: new Uint8Array(6) };
    await expect(rewards("subject", "a wedge", wide)).rejects.toThrow("squares");
  });

  const unjudged: Readonly<Record<SceneReward, readonly string[]>> = {
    subject: [
      "a zebra",
      "a wedge and a ring",
      "three wedges",
      "a wedge on a blue background",
      "a small wedge",
    ],
    colour: ["a wedge", "a wedge on a mauve background"],
    count: [
      "a wedge",
      "five wedges",
      "three zebras",
      "three wedges on a blue background",
      "three wedges, flat style",
    ],
    position: [
      "a wedge and a ring",
      "a wedge",
      "a zebra to the left of a ring",
      "a small wedge",
      "two wedges",
    ],
  };
  it.each(SCENE_REWARDS)(
    "%s: refuses prompts that ask nothing it can judge, before anything is drawn",
    (name) => {
      const { refuseUnjudged } = sceneReward(name, data, SHAPE_SCORER);
      for (const prompt of unjudged[name]) {
        expect(() => refuseUnjudged([prompt]), prompt).toThrow(InputError);
        expect(() => refuseUnjudged([prompt]), prompt).toThrow(
          /asks nothing that the reward .* can judge .*it judges/,
        );
      }
    },
  );
});

it("likeness: 0 for the picture itself, less for others", async () => {
  const reward = await likenessReward(alone("wedge"), SHAPE_SCORER);
  const pictures = [alone("wedge"), alone("ring")].map((pixels) => ({ prompt: "whatever", pixels }));
  const [same, other] = await rewardsOf(reward, pictures);
  expect(same).toBe(0);
  expect(other).toBeLessThan(0);
});
