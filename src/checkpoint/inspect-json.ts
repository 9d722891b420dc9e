/** @file Tells what a JSON file is, by the keys that only its kind has, and reads it as its reader would. */
import { ModelFormatError } from "../errors.ts";
import { isJsonObject, type JsonObject } from "../formats/json-file.ts";
import { quoted } from "../formats/quoted.ts";
import { parseAutoencoderConfig } from "../model/autoencoder-config.ts";
import { parseNextStepConfig } from "../model/config.ts";
import { checkAddedTokens, checkTokenizerJson, checkVocabulary } from "../sequence/tokenizer-json.ts";
import { checkPipeline } from "../sequence/tokenizer-pipeline.ts";
import type { ConfigInspection, JsonInspection } from "./inspection.ts";
import { unknownKeyProblems } from "./problem.ts";

/** A kind of JSON file that rooms above this one read. */
export interface JsonKind {
  /** What it is, e.g. `recipe`. */
  readonly of: string;
  /** Whether an object is meant to be one. */
  marks(json: JsonObject): boolean;
  /** What to list of it. Throws a typed error for one that its reader would refuse. */
  read(json: JsonObject, path: string): object | Promise<object>;
}

/** Keys that only an autoencoder's configuration has. */
const AUTOENCODER_KEYS = ["ch_mult", "z_channels", "num_res_blocks"] as const;
const MODEL_KEYS = ["hidden_size", "num_attention_heads", "num_hidden_layers"] as const;
const SHOWN_KEYS = 5;

export function isAutoencoderConfig(json: unknown): boolean {
  return isJsonObject(json) && AUTOENCODER_KEYS.some((key) => Object.hasOwn(json, key));
}

/** Files beside a model's weights (docs/nextstep-spec.md 1.2). */
const COMPANION_KINDS: readonly JsonKind[] = [
  {
    of: "tokenizer",
    marks: ({ model }) => isJsonObject(model) && Object.hasOwn(model, "vocab"),
    read: (json) => {
      const { model, added_tokens } = checkAddedTokens(checkPipeline(checkTokenizerJson(json)));
      return {
        vocabulary: Object.keys(model.vocab).length,
        merges: model.merges.length,
        addedTokens: added_tokens.map(({ content }) => content),
      };
    },
  },
  {
    of: "generation settings of published loaders, which have no effect here",
    marks: (json) => "_from_model_config" in json,
    read: (json) => json,
  },
  {
    of: "settings of a tokenizer",
    marks: (json) => "added_tokens_decoder" in json || "tokenizer_class" in json,
    read: ({ tokenizer_class, bos_token, eos_token, pad_token, additional_special_tokens }) => ({
      tokenizer_class,
      bos_token,
      eos_token,
      pad_token,
      additional_special_tokens,
    }),
  },
  {
    of: "special tokens",
    marks: (json) =>
      Object.keys(json).some((key) => /^(?:bos|eos|pad|unk|additional_special)_tokens?$/.test(key)),
    read: (json) => json,
  },
  {
    of: "vocabulary or added tokens",
    marks: (json) => {
      const ids = Object.values(json);
      return ids.length > 0 && ids.every((id) => typeof id === "number");
    },
    read: (json, path) => ({ tokens: Object.keys(checkVocabulary(json, path)).length }),
  },
];

/**
 * Describes parsed JSON. An index of shards is not among what is told here: it is opened with its shards.
 * @param kinds of rooms above, asked before those known here.
 * @throws ModelFormatError for JSON of no known kind, and what the reader of its kind throws.
 */
export async function inspectJson(
  json: unknown,
  path: string,
  kinds: readonly JsonKind[],
): Promise<ConfigInspection | JsonInspection> {
  if (!isJsonObject(json)) throw unknown("is JSON, but no object", path);
  const kind = kinds.find(({ marks }) => marks(json));
  if (kind !== undefined) return { kind: "json", path, of: kind.of, content: await kind.read(json, path) };
  if (isAutoencoderConfig(json)) {
    const { config, unknownKeys } = parseAutoencoderConfig(json, path);
    return { kind: "config", path, of: "autoencoder", config, problems: unknownKeyProblems(unknownKeys) };
  }
  if (MODEL_KEYS.some((key) => Object.hasOwn(json, key))) {
    const { config, unknownKeys } = parseNextStepConfig(json, path);
    return { kind: "config", path, of: "model", config, problems: unknownKeyProblems(unknownKeys) };
  }
  const own = COMPANION_KINDS.find(({ marks }) => marks(json));
  if (own !== undefined) return { kind: "json", path, of: own.of, content: await own.read(json, path) };
  const keys = Object.keys(json);
  const shown = keys.slice(0, SHOWN_KEYS).map((key) => quoted(key.slice(0, 40)));
  const more = keys.length > SHOWN_KEYS ? `, and ${keys.length - SHOWN_KEYS} more` : "";
  throw unknown(
    keys.length === 0
      ? "is an empty JSON object"
      : `is JSON of no known kind: its keys are ${shown.join(", ")}${more}`,
    path,
  );
}

function unknown(reason: string, where: string): ModelFormatError {
  return new ModelFormatError(reason, {
    where,
    remedy: "known are configurations, indexes, tokenizer files, recipes, settings and training configs",
  });
}
