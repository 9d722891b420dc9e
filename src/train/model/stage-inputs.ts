/** @file What a run of model training depends on beside its settings, and what the trained folder inherits. */
import { createHash } from "node:crypto";
import { z } from "zod";
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
import { MOST_SUBJECTS, MOST_WORDS, type TrainedOn } from "./trained-on.ts";

/** Stored bytes of a weight up to which it enters a digest: norms and biases tell checkpoints apart as all would. */
export const DIGESTED_BYTES = 64 * 1024;

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

/** The start's nextstep.json, else the settings that samples are drawn with; the drawing order is that of this training. */
export async function inheritedSettings(
  { samples, rowLag }: Pick<ModelTrainConfig, "samples" | "rowLag">,
  start: Pick<ModelFolder, "files"> | undefined,
): Promise<Readonly<Record<string, JsonValue>>> {
  const drawn = { cfg: samples.guidance, steps: samples.steps };
  const order = rowLag === null ? {} : { rowLag };
  if (start === undefined || !(await start.files.has(NEXTSTEP_FILE))) {
    return { generation: { ...drawn, ...order } };
  }
  const settings = settingsSchema.parse(await readJson(await start.files.open(NEXTSTEP_FILE)));
  // Without an entry of its own, the start draws with the published settings, which know no other order.
  if (settings.generation === undefined && rowLag === null) return settings;
  const { rowLag: _startOrder, ...generation } = settingsSchema.parse(settings.generation ?? drawn);
  return { ...settings, generation: { ...generation, ...order } };
}

/** The content of nextstep.json: what is inherited, with the subjects and words of training added to the start's. */
export function nextstepJson(inherited: Readonly<Record<string, JsonValue>>, own: TrainedOn): JsonValue {
  const parsed = startTrainedSchema.safeParse(inherited.trained);
  const before = parsed.success ? parsed.data : {};
  const union = (a: readonly string[] = [], b: readonly string[] = []): string[] => [
    ...new Set([...a, ...b]),
  ];
  const subjects = union(before.subjects, own.subjects);
  const trained = {
    sizes: own.sizes,
    ...(subjects.length === 0 ? {} : { subjects: subjects.slice(0, MOST_SUBJECTS) }),
    words: union(before.words, own.words).slice(0, MOST_WORDS).sort(),
  };
  return plainJson({ ...inherited, trained });
}

const settingsSchema = z.record(z.string(), z.json());
const startTrainedSchema = z.object({
  subjects: z.array(z.string()).optional(),
  words: z.array(z.string()).optional(),
});

function digest(value: unknown): string {
  return createHash("sha256").update(JSON.stringify(value)).digest("hex");
}
