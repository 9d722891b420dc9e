/** @file Settings of model training that are each allowed and cannot be meant together. */
import { ConfigError } from "../../errors.ts";
import { refuseUnmeant } from "../loop/config-sense.ts";
import { applyTemplate } from "./captions.ts";
import type { ModelTrainConfig } from "./model-train-config.ts";

/** @throws ConfigError naming the field. Nothing is opened. */
export function refuseUnmeantModel(config: ModelTrainConfig): void {
  refuseUnmeant(config.loop, config.steps, "steps");
  const { dropText, dropCaption, model, data } = config;
  if (dropText + dropCaption > 1) {
    throw new ConfigError(`dropText and dropCaption are ${dropText + dropCaption} together`, {
      where: "dropCaption",
      remedy: "shares of all samples are at most 1 together",
    });
  }
  if (config.curriculum.length > 0 && config.packing !== null) {
    throw new ConfigError("packed rows are filled before it is known when they are shown", {
      where: "curriculum",
      remedy: "set packing to null, or leave the curriculum out",
    });
  }
  refuseCaptions(config.captions, "captions");
  if (typeof data !== "string") {
    data.forEach(({ captions }, index) => {
      if (captions !== undefined) refuseCaptions(captions, `data.${index}.captions`);
    });
  }
  const weights = ["lm_loss_weight", "image_loss_weight"].map((name) => {
    const value = model[name];
    if (typeof value === "number" && value < 0) {
      throw new ConfigError(`a weight of ${value} would raise the loss`, { where: `model.${name}` });
    }
    return value;
  });
  if (weights.every((weight) => weight === 0)) {
    throw new ConfigError("both loss weights are 0, so that nothing is learned", {
      where: "model.image_loss_weight",
    });
  }
}

function refuseCaptions(captions: ModelTrainConfig["captions"], where: string): void {
  if (captions === "weighted") return;
  const { keys, ratios, templates } = captions;
  if (keys.length !== ratios.length) {
    throw new ConfigError(`${keys.length} keys have ${ratios.length} ratios`, {
      where: `${where}.ratios`,
      remedy: "give every key one ratio",
    });
  }
  if (!ratios.some((ratio) => ratio > 0)) {
    throw new ConfigError("all ratios are 0", { where: `${where}.ratios` });
  }
  for (const template of templates) {
    // Whatever a caption may be: two different ones must give two texts.
    if (applyTemplate(template, "a") !== applyTemplate(template, "b")) continue;
    throw new ConfigError(`${JSON.stringify(template)} has no {text}`, { where: `${where}.templates` });
  }
}
