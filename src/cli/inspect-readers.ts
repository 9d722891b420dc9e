/** @file Readers of pictures and of JSON that the rooms above the checkpoints know, for `nextstep inspect`. */
import type { InspectReaders } from "../checkpoint/inspect.ts";
import type { JsonKind, JsonObject } from "../checkpoint/inspect-json.ts";
import { parseDefaultSettings } from "../generate/default-settings.ts";
import { parseRecipe } from "../generate/recipe.ts";

const has = (json: JsonObject, ...keys: readonly string[]): boolean =>
  keys.every((key) => Object.hasOwn(json, key));

const JSON_KINDS: readonly JsonKind[] = [
  {
    of: "recipe of a picture",
    marks: (json) => has(json, "settings", "prompt", "seed"),
    read: (json, path) => parseRecipe(JSON.stringify(json), path),
  },
  {
    of: "settings that a model draws with",
    marks: (json) => {
      const keys = Object.keys(json);
      return keys.length > 0 && keys.every((key) => key === "generation" || key === "editing");
    },
    read: (json, path) => parseDefaultSettings(json, path, "v1.1"),
  },
  {
    of: "training config of an autoencoder",
    marks: (json) => has(json, "autoencoder", "phases"),
    read: async (json, path) => {
      const { parseTrainConfig } = await import("../train/loop/train-config.ts");
      const { tokenizerConfigSchema } = await import("../train/autoencoder/autoencoder-train-config.ts");
      return parseTrainConfig(tokenizerConfigSchema, json, path);
    },
  },
  {
    of: "training config of a model",
    marks: (json) => has(json, "output", "data", "steps"),
    read: async (json, path) => {
      const { parseTrainConfig } = await import("../train/loop/train-config.ts");
      const { modelConfigSchema } = await import("../train/model/model-train-config.ts");
      return parseTrainConfig(modelConfigSchema, json, path);
    },
  },
];

/** The codec is loaded for pictures alone. */
export const inspectReaders: InspectReaders = {
  picture: async (bytes, where) => {
    const { decodeImage } = await import("../image/decode-image.ts");
    return decodeImage(bytes, where);
  },
  json: JSON_KINDS,
};
