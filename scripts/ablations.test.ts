/** @file Every ablation changes what the config knows, in a run that can be. */
import { fileURLToPath } from "node:url";
import { expect, it } from "vitest";
import { pickSettings } from "../src/generate/settings.ts";
import { parseOverride } from "../src/train/loop/config-overrides.ts";
import { loadTrainConfig } from "../src/train/loop/train-config.ts";
import { refuseUnmeantModel } from "../src/train/model/model-config-sense.ts";
import { modelTrainConfigSchema } from "../src/train/model/model-train-config.ts";
import { ABLATIONS } from "./ablations.ts";

const CONFIG = fileURLToPath(new URL("../configs/ablation.json", import.meta.url));

it("changes something, to settings that are known", async () => {
  const load = (training: readonly string[]) =>
    loadTrainConfig(modelTrainConfigSchema, CONFIG, training.map(parseOverride));
  const base = await load([]);
  for (const { name, training, drawing } of ABLATIONS) {
    const config = await load(training);
    refuseUnmeantModel(config);
    expect(JSON.stringify(config) !== JSON.stringify(base), name).toBe(training.length > 0);
    expect(pickSettings(drawing), name).toEqual(drawing);
    expect(training.length + Object.keys(drawing).length, name).toBeGreaterThan(0);
  }
});
