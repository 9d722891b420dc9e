/** @file docs/training.md names every setting, and no others. */
import { readFile } from "node:fs/promises";
import { expect, it } from "vitest";
import { z } from "zod";
import { adapterTrainConfigSchema } from "../train/adapter/adapter-train-config.ts";
import { autoencoderTrainConfigSchema } from "../train/autoencoder/autoencoder-train-config.ts";
import { modelTrainConfigSchema } from "../train/model/model-train-config.ts";
import { preferenceTrainConfigSchema } from "../train/preference/preference-train-config.ts";
import { rewardTrainConfigSchema } from "../train/reward/reward-train-config.ts";

interface JsonSchema {
  readonly properties?: Readonly<Record<string, JsonSchema>>;
  readonly items?: JsonSchema;
  readonly anyOf?: readonly JsonSchema[];
}

/** Paths of all settings; entries of a list have no number. */
function pathsOf({ properties, items, anyOf = [] }: JsonSchema, path = ""): string[] {
  const own = Object.entries(properties ?? {}).flatMap(([key, schema]) => {
    const name = path === "" ? key : `${path}.${key}`;
    return [name, ...pathsOf(schema, name)];
  });
  return [
    ...own,
    ...[...(items === undefined ? [] : [items]), ...anyOf].flatMap((one) => pathsOf(one, path)),
  ];
}

it("documents every setting of training", async () => {
  const text = await readFile(new URL("../../docs/training.md", import.meta.url), "utf8");
  const settings = new Set(
    [
      autoencoderTrainConfigSchema,
      modelTrainConfigSchema,
      adapterTrainConfigSchema,
      preferenceTrainConfigSchema,
      rewardTrainConfigSchema,
    ].flatMap((schema) => pathsOf(z.toJSONSchema(schema, { io: "input" }) as JsonSchema)),
  );
  expect(settings.size).toBeGreaterThan(70);
  const rows = text.slice(text.indexOf("## Config of both")).split("\n");
  const named = new Set(
    rows.flatMap((row) => {
      const [, key = "", , meaning = ""] = row.split("|");
      // Keys of a group may stand in what is said of the group.
      const inMeaning = [...meaning.matchAll(/`([a-z][\w.]*\.\w+)`/gi)].map(([, name]) => name!);
      return [...[...key.matchAll(/`([^`]+)`/g)].map(([, name]) => name!), ...inMeaning];
    }),
  );
  // A group is documented by its keys.
  const isNamed = (name: string): boolean =>
    named.has(name) || [...named].some((one) => one.startsWith(`${name}.`));
  expect([...settings].filter((name) => !isNamed(name))).toEqual([]);
  expect([...named].filter((name) => !settings.has(name) && !name.endsWith(".json"))).toEqual([]);
});
