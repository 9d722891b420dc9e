/** @file Pictures drawn with adapters, through the library's door: recipes repeat them, or refuse by name. */
import { fileURLToPath } from "node:url";
import { expect, it } from "vitest";
import { parseRecipe } from "../generate/recipe.ts";
import { testModelPath } from "../generate/test-models.ts";
import { open } from "./open-model.ts";

const adapter = (name: string) => fileURLToPath(new URL(`../../test/adapters/${name}`, import.meta.url));
const FEW = { seed: 3, size: { width: 32, height: 32 }, steps: 6, cfg: 2 } as const;

it("repeats a picture with its adapters, whatever they are called, and no other", async () => {
  const path = testModelPath("v1.1");
  await using model = await open(path, {
    threads: 1,
    adapters: { first: adapter("plain"), second: adapter("stabilised") },
  });
  expect(model.adapters).toEqual(["first", "second"]);
  const adapters = [{ name: "second", scale: 0.5 }, { name: "first" }];
  const [plain] = await model.draw("a", FEW);
  const [picture] = await model.draw("a", { ...FEW, adapters });
  expect(plain?.recipe.version).toBe(3);
  expect(picture?.recipe.adapters?.map(({ name, scale }) => [name, scale])).toEqual([
    ["stabilised", 0.5],
    ["plain", 1],
  ]);
  expect(picture?.pixels.data).not.toEqual(plain?.pixels.data);
  const recipe = parseRecipe(JSON.stringify(picture?.recipe), "picture.png");

  await using other = await open(path, {
    threads: 1,
    adapters: { x: adapter("plain"), y: adapter("stabilised") },
  });
  const [again] = await other.again(recipe).pictures();
  expect(again?.pixels.data).toEqual(picture?.pixels.data);

  await using lacking = await open(path, { threads: 1, adapters: { x: adapter("plain") } });
  await expect(lacking.again(recipe).pictures()).rejects.toThrow(/drawn with the adapter "stabilised"/);
  await expect(lacking.draw("a", { ...FEW, adapters: [{ name: "z" }] })).rejects.toThrow(
    /no adapter "z".*there are "x"/,
  );
  await expect(lacking.draw("a", { ...FEW, adapters: [{ name: "x", scale: 99 }] })).rejects.toThrow(/scale/);
  await expect(lacking.draw("a", { ...FEW, adapters: [{ name: "x" }, { name: "x" }] })).rejects.toThrow(
    /twice/,
  );
}, 60_000);
