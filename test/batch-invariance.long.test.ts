/** @file A picture of the default model is the same alone and among others, bit for bit, whatever the threads. */
import { expect, it } from "vitest";
import { open } from "../src/index.ts";

const PROMPTS = [
  "a red apple",
  "a dog",
  "a house",
  "two cats",
  "a blue car on grass",
  "the moon",
  "a tree",
  "a cup of coffee",
];
const OPTIONS = { seed: 11, steps: 4, size: { width: 64, height: 96 } };

it.each([1, 2])(
  "draws the same bits alone as among eight, with %i threads",
  async (threads) => {
    await using model = await open(undefined, { threads });
    const together = await model.draw(PROMPTS, OPTIONS);
    for (const [index, prompt] of PROMPTS.entries()) {
      const [alone] = await model.draw(prompt, OPTIONS);
      expect(alone?.tokens).toEqual(together[index]?.tokens);
      expect(alone?.planes).toEqual(together[index]?.planes);
    }
    const three = await model.draw(PROMPTS.slice(2, 5), OPTIONS);
    expect(three.map(({ tokens }) => tokens)).toEqual(together.slice(2, 5).map(({ tokens }) => tokens));
  },
  180_000,
);
