/** @file What a run of model training depends on beside its settings, and what the trained folder inherits. */
import { createHash } from "node:crypto";
import type { AutoencoderFolder } from "../../checkpoint/autoencoder-folder.ts";
import type { ModelFolder } from "../../checkpoint/model-folder.ts";
import { LocalFolder } from "../../files/local-folder.ts";
import { readJson } from "../../formats/json-file.ts";
import { NEXTSTEP_FILE } from "../../generate/default-settings.ts";
import { readTokenizerFiles } from "../../sequence/tokenizer-files.ts";
import { digestWeights } from "../loop/weights-digest.ts";
import { type JsonValue, plainJson } from "../plain-json.ts";
import type { ModelTrainConfig } from "./model-train-config.ts";
import type { TrainingTars } from "./stage-data.ts";

/** Stored bytes of a weight up to which it enters a digest: norms and biases tell checkpoints apart as all would. */
const DIGESTED_BYTES = 64 * 1024;

/** Digests by name, so that a run that is continued with another input can name it. */
export async function inputDigests(parts: {
  readonly config: ModelTrainConfig;
  readonly tars: TrainingTars;
  readonly autoencoder: AutoencoderFolder;
  readonly start: ModelFolder | undefined;
}): Promise<JsonValue> {
  const { config, tars, autoencoder, start } = parts;
  const { textTokenizer } = config;
  return {
    data: await Promise.all(tars.sets.map((set) => set.fingerprint())),
    autoencoder: await digestWeights(autoencoder.configJson, autoencoder.tensors),
    start: start === undefined ? null : await digestWeights(start.configJson, start.tensors, DIGESTED_BYTES),
    textTokenizer:
      typeof textTokenizer === "string"
        ? digest(await readTokenizerFiles(new LocalFolder(textTokenizer)))
        : null,
  };
}

/** The start's nextstep.json, else one of the settings that samples are drawn with. */
export async function drawingDefaults(
  { samples }: ModelTrainConfig,
  start: ModelFolder | undefined,
): Promise<JsonValue> {
  if (start !== undefined && (await start.files.has(NEXTSTEP_FILE))) {
    return plainJson(await readJson(await start.files.open(NEXTSTEP_FILE)));
  }
  return { generation: { cfg: samples.guidance, steps: samples.steps } };
}

function digest(value: unknown): string {
  return createHash("sha256").update(JSON.stringify(value)).digest("hex");
}
