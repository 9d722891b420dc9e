import { expect, it } from "vitest";
import { ConfigError } from "../../errors.ts";
import { parseTrainConfig } from "../loop/train-config.ts";
import { refuseUnmeantModel } from "./model-config-sense.ts";
import { modelTrainConfigSchema } from "./model-train-config.ts";

const check = (fields: Readonly<Record<string, unknown>>): void => {
  const json = { output: "o", data: "d", autoencoder: "a", steps: 10, ...fields };
  refuseUnmeantModel(parseTrainConfig(modelTrainConfigSchema, json, "test"));
};

it.each([
  ["dropCaption", { dropText: 0.6, dropCaption: 0.5 }],
  ["loop.schedule.warmupSteps", { loop: { schedule: { warmupSteps: 11 } } }],
  ["curriculum", { curriculum: [{ until: 5, numbers: { rank: -9 } }] }],
  ["captions.ratios", { captions: { keys: ["a", "b"] } }],
  ["data.0.captions.ratios", { data: [{ path: "d", captions: { ratios: [0] } }] }],
  ["captions.templates", { captions: { templates: ["a picture of {{text}}"] } }],
  ["model.image_loss_weight", { model: { image_loss_weight: 0, lm_loss_weight: 0 } }],
  ["model.lm_loss_weight", { model: { lm_loss_weight: -1 } }],
])("refuses what cannot be meant, by %s", (field, fields) => {
  expect(() => check(fields)).toThrow(ConfigError);
  expect(() => check(fields)).toThrow(`${field}: `);
});

it("takes what can be meant", () => {
  check({});
  check({
    dropText: 0.5,
    dropCaption: 0.5,
    captions: { keys: ["a", "b"], ratios: [0, 1], templates: ["{text}!"] },
  });
});
