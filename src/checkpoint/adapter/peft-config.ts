/**
 * @file `adapter_config.json` as PEFT writes it (huggingface/peft, `src/peft/tuners/lora/config.py`): what of it says how the
 * matrices beside it are to be used. Anything that would change the result and is not done here is refused by its name.
 */
import { ModelFormatError, UnsupportedError } from "../../errors.ts";
import { isJsonObject, type JsonObject } from "../../formats/json-file.ts";
import { isWholeNumber } from "../../formats/json-value.ts";
import { quoted } from "../../formats/quoted.ts";
import { scaleOf } from "../../model/adapter.ts";

export const ADAPTER_CONFIG_FILE = "adapter_config.json";

/** Beyond any adapter: a matrix of full rank of the published model has 5,120. */
export const MAX_RANK = 1024;

/** Keys that decide nothing once the matrices are there, or that say how they came about. */
const INERT: ReadonlySet<string> = new Set([
  ...["auto_mapping", "base_model_name_or_path", "inference_mode", "peft_type", "peft_version", "revision"],
  ...["task_type", "lora_dropout", "exclude_modules", "layers_to_transform", "layers_pattern"],
  ...["loftq_config", "eva_config", "corda_config", "lora_ga_config", "megatron_config", "megatron_core"],
  ...["qalora_group_size", "runtime_config", "ensure_weight_tying"],
]);

/** Ways of beginning that leave the model's own weights alone. */
const PLAIN_BEGINNINGS: readonly unknown[] = [undefined, true, false, "gaussian", "eva", "orthogonal"];

/** Names of modules, `layers.0.mlp` or `^layers.0.mlp`: all that is read of PEFT's regular expressions. */
const PLAIN_PATTERN = /^\^?(?:\w|\\?\.)+$/;

const MAX_PATTERNS = 65_536;

export interface PeftConfig {
  readonly rank: number;
  readonly alpha: number;
  /** Scales by 1 / sqrt(rank) instead of 1 / rank (rank-stabilised, arXiv 2312.03732). */
  readonly rankStabilised: boolean;
  /** Of modules whose name ends so. */
  readonly ranks: ReadonlyMap<string, number>;
  readonly alphas: ReadonlyMap<string, number>;
  /** Names that modules end with; undefined where a regular expression stands for them. */
  readonly targets: readonly string[] | undefined;
}

/**
 * @throws ModelFormatError naming the field that does not fit; UnsupportedError naming what is not done here.
 */
export function parsePeftConfig(json: unknown, where: string): PeftConfig {
  const refuse = (field: string, reason: string): ModelFormatError =>
    new ModelFormatError(`${quoted(field)} ${reason}`, {
      where,
      remedy: "the file is no adapter's, or damaged",
    });
  if (!isJsonObject(json)) throw refuse("peft_type", "is missing");
  if (json.peft_type !== "LORA") {
    throw unsupported(where, `"peft_type" is ${told(json.peft_type)}`, "only LORA adapters are read");
  }
  refuseUnknownWays(json, where);
  if (!isWholeNumber(json.r, 1, MAX_RANK)) throw refuse("r", `is not a whole number from 1 to ${MAX_RANK}`);
  const alpha = (value: unknown, field: string): number => {
    if (typeof value === "number" && Number.isFinite(value)) return value;
    throw refuse(field, "is not a number");
  };
  const targets = json.target_modules;
  const isList = Array.isArray(targets);
  if (!(isList ? targets.every((name) => typeof name === "string") : typeof targets === "string")) {
    throw refuse("target_modules", "is neither a list of names nor a text");
  }
  return {
    rank: json.r,
    alpha: alpha(json.lora_alpha, "lora_alpha"),
    rankStabilised: json.use_rslora === true,
    ranks: patternsOf(json.rank_pattern, "rank_pattern", where, (value, field) => {
      if (isWholeNumber(value, 1, MAX_RANK)) return value;
      throw refuse(field, `is not a whole number from 1 to ${MAX_RANK}`);
    }),
    alphas: patternsOf(json.alpha_pattern, "alpha_pattern", where, alpha),
    targets: isList ? targets.map(String) : undefined,
  };
}

/** Rank and factor of a module, by the name that it is stored under. */
export function scalingOf(
  config: PeftConfig,
  module: string,
): { readonly rank: number; readonly scale: number } {
  const rank = patternValue(config.ranks, module) ?? config.rank;
  const alpha = patternValue(config.alphas, module) ?? config.alpha;
  return { rank, scale: scaleOf(alpha, rank, config.rankStabilised) };
}

/** Whether a module's name is one of the names, or ends with one behind a dot. */
export function isNamed(module: string, names: readonly string[]): boolean {
  return names.some((name) => module === name || module.endsWith(`.${name}`));
}

function patternValue(patterns: ReadonlyMap<string, number>, module: string): number | undefined {
  for (const [pattern, value] of patterns) {
    const fits = pattern.startsWith("^") ? module === pattern.slice(1) : isNamed(module, [pattern]);
    if (fits) return value;
  }
  return undefined;
}

function patternsOf(
  json: unknown,
  field: string,
  where: string,
  read: (value: unknown, field: string) => number,
): ReadonlyMap<string, number> {
  if (json === undefined || json === null) return new Map();
  if (!isJsonObject(json) || Object.keys(json).length > MAX_PATTERNS) {
    throw new ModelFormatError(`"${field}" is not an object of numbers`, { where });
  }
  return new Map(
    Object.entries(json).map(([pattern, value]) => {
      if (!PLAIN_PATTERN.test(pattern)) {
        const reason = `"${field}" has the regular expression ${quoted(pattern)}`;
        throw unsupported(where, reason, "write the modules' names out: regular expressions are not run");
      }
      return [pattern.replaceAll("\\.", "."), read(value, `${field}.${pattern}`)];
    }),
  );
}

/** Keys with a meaning of their own here. */
const READ: ReadonlySet<string> = new Set([
  ...["r", "lora_alpha", "rank_pattern", "alpha_pattern", "target_modules", "use_rslora", "bias"],
  "init_lora_weights",
]);

function refuseUnknownWays(json: JsonObject, where: string): void {
  if (json.bias !== undefined && json.bias !== "none") {
    throw unsupported(where, `"bias" is ${told(json.bias)}`, 'train the adapter with bias "none"');
  }
  const begun = json.init_lora_weights ?? undefined;
  if (!PLAIN_BEGINNINGS.includes(begun)) {
    throw unsupported(
      where,
      `"init_lora_weights" is ${told(begun)}, which changes the model's own weights`,
      "have PEFT convert the adapter to plain LoRA (path_initial_model_for_weight_conversion)",
    );
  }
  for (const [key, value] of Object.entries(json)) {
    if (READ.has(key) || INERT.has(key) || isOff(value)) continue;
    throw unsupported(where, `${quoted(key)} is ${told(value)}`, "train the adapter without it");
  }
}

/** What PEFT writes where a way is not taken. */
function isOff(value: unknown): boolean {
  if (value === null || value === false) return true;
  if (Array.isArray(value)) return value.length === 0;
  return isJsonObject(value) && Object.keys(value).length === 0;
}

function told(value: unknown): string {
  return quoted(typeof value === "string" ? value : (JSON.stringify(value) ?? "missing"));
}

function unsupported(where: string, reason: string, remedy: string): UnsupportedError {
  return new UnsupportedError(reason, { where, remedy });
}
