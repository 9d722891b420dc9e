import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, expect, it } from "vitest";
import { autoencoderTrainConfigSchema } from "../src/train/autoencoder/autoencoder-train-config.ts";
import { loadTrainConfig } from "../src/train/loop/train-config.ts";
import { modelTrainConfigSchema } from "../src/train/model/model-train-config.ts";
import { DEFAULT_STAGES, stageLine, stageStates } from "./default-stages.ts";

let root = "";
beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), "stages-"));
});
afterAll(async () => {
  await rm(root, { recursive: true, force: true });
});

it("reads nothing that no stage before it makes", async () => {
  const made: string[] = [];
  const check = (path: string): void => {
    expect(
      made.some((one) => path === one || path.startsWith(`${one}/`)),
      path,
    ).toBe(true);
  };
  for (const { command, result } of DEFAULT_STAGES) {
    const [verb, kind, file = ""] = command;
    if (verb === "train") {
      const path = fileURLToPath(new URL(`../${file}`, import.meta.url));
      const config =
        kind === "model"
          ? await loadTrainConfig(modelTrainConfigSchema, path)
          : await loadTrainConfig(autoencoderTrainConfigSchema, path);
      const data = [config.data].flat().map((one) => (typeof one === "string" ? one : one.path));
      for (const one of [...data, config.validationData, config.start]) if (one !== null) check(one);
      expect(result).toBe(`${config.output}/model`);
      if (typeof config.autoencoder === "string") check(config.autoencoder);
      if ("latents" in config && config.latents !== null) check(config.latents);
    } else {
      for (const path of command.filter((one) => /^runs\/.*\/model$/.test(one))) check(path);
    }
    made.push(result);
  }
});

it("says what is done, what is under way and what is left", async () => {
  await mkdir(join(root, "data/emoji"), { recursive: true });
  await mkdir(join(root, "runs/autoencoder"), { recursive: true });
  const event = { type: "step", step: 30, steps: 90, etaSeconds: 5400 };
  await writeFile(
    join(root, "runs/autoencoder/log.jsonl"),
    `${JSON.stringify(event)}\n{"type":"checkpoint"}\n`,
  );
  const states = await stageStates(root);
  expect(states.map(({ isDone }) => isDone)).toEqual([true, ...DEFAULT_STAGES.slice(1).map(() => false)]);
  const lines = states.map((state) => stageLine(state, 100));
  expect(lines[0]).toMatch(/^data .*: done$/);
  expect(lines[1]).toMatch(/: step 30 of 90, about 1\.5 hours left$/);
  expect(lines[2]).toMatch(/: about 1\.0 hours at 100 GFLOP\/s$/);
});
