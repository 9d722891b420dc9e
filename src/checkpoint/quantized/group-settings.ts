/** @file What GPTQ, AWQ and AutoRound have in common in `quantization_config`: bits, groups, symmetry, exceptions. */
import { ModelFormatError, UnsupportedError } from "../../errors.ts";
import { isJsonObject } from "../../formats/json-file.ts";
import { quoted } from "../../formats/quoted.ts";
import { officialModelName } from "../official-names.ts";

export type Settings = Readonly<Record<string, unknown>>;

/** Of one form of storage in a checkpoint; exceptions may have others. */
export interface GroupForm {
  readonly bits: 4 | 8;
  /** Inputs that share a scale; -1: all of a row. */
  readonly groupSize: number;
}

export interface GroupSettings {
  /** That of most layers first, each once. */
  readonly forms: readonly [GroupForm, ...GroupForm[]];
  /** Whether all layers are said to be symmetric. What is not said is read from the zero points. */
  readonly symmetric: boolean;
  /** Official names of modules that are said to be left in float. */
  readonly floats: readonly string[];
  /** Keys that have no effect and are not among those known to have none. */
  readonly unknownKeys: readonly string[];
}

/** Every layer may have one of its own; the published model has some 400. */
const MAX_EXCEPTIONS = 1 << 16;
const FLOAT_BITS = 16;

/** Ways in which the tools spell the same. */
const BITS = ["bits", "w_bit", "wbits"] as const;
const GROUP_SIZE = ["group_size", "q_group_size"] as const;

/** Keys that say how the weights were arrived at, or which programs may run them, and not what they are. */
const HARMLESS: ReadonlySet<string> = new Set([
  ...[
    "autoround_version",
    "iters",
    "nsamples",
    "seqlen",
    "batch_size",
    "lr",
    "minmax_lr",
    "low_gpu_mem_usage",
  ],
  ...["enable_quanted_input", "enable_minmax_tuning", "enable_norm_bias_tuning", "gradient_accumulate_steps"],
  ...["scale_dtype", "dataset", "seed", "amp", "momentum", "model_free", "sampler", "tokenizer", "provider"],
  ...["block_name_to_quantize", "to_quant_block_names", "quant_block_list", "modules_in_block_to_quantize"],
  ...[
    "enable_torch_compile",
    "enable_alg_ext",
    "enable_adam",
    "enable_deterministic_algorithms",
    "not_use_best_mse",
  ],
  ...["act_group_size", "act_sym", "act_data_type", "act_dynamic", "super_group_size", "quant_lm_head"],
  ...[
    "damp_percent",
    "damp_auto_increment",
    "static_groups",
    "true_sequential",
    "model_name_or_path",
    "meta",
  ],
  ...[
    "model_file_base_name",
    "model_seqlen",
    "use_cuda_fp16",
    "use_exllama",
    "exllama_config",
    "max_input_length",
  ],
  ...["cache_block_outputs", "pad_token_id", "disable_exllama", "batch", "mse", "hyb_act", "act_group_aware"],
  ...["do_fuse", "fuse_max_seq_len", "modules_to_fuse", "duo_scaling", "apply_clip", "apply_scale"],
]);

/** Keys whose sense the readers take care of. */
const READ: ReadonlySet<string> = new Set([
  ...["quant_method", "method", "backend", "packing_format", "checkpoint_format", "format", "version"],
  ...[
    ...BITS,
    ...GROUP_SIZE,
    "sym",
    "zero_point",
    "desc_act",
    "data_type",
    "act_bits",
    "super_bits",
    "pack_dtype",
  ],
  ...[
    "is_marlin_format",
    "extra_config",
    "dynamic",
    "modules_to_not_convert",
    "modules_not_quantized",
    "lm_head",
  ],
  ...["adapter", "rotation_config", "spinquant_config", "transform_config", "hadamard_config"],
]);

/** Whatever these say more than nothing changes what a product with the weights is. */
const REFUSED = [
  "adapter",
  "rotation_config",
  "spinquant_config",
  "transform_config",
  "hadamard_config",
] as const;

/** @throws UnsupportedError for forms that blocks cannot hold, ModelFormatError for settings that are wrong. */
export function readGroupSettings(settings: Settings, where: string): GroupSettings {
  refuseOthers(settings, where);
  const usual = readForm(settings, undefined, where);
  const forms: [GroupForm, ...GroupForm[]] = [usual];
  const floats = [
    ...namesIn(settings, "modules_to_not_convert", where),
    ...namesIn(settings, "modules_not_quantized", where),
  ];
  if (settings.lm_head === false) floats.push("lm_head");
  let symmetric = saysSymmetric(settings) === true;
  for (const [name, exception, at] of exceptionsIn(settings, where)) {
    if (exception === "float") {
      floats.push(name);
      continue;
    }
    const form = readForm(exception, usual, at);
    if (!forms.some(({ bits, groupSize }) => bits === form.bits && groupSize === form.groupSize))
      forms.push(form);
    symmetric &&= saysSymmetric(exception) !== false;
  }
  return {
    forms,
    symmetric,
    floats: floats.map((name) => officialModelName(name).name),
    unknownKeys: Object.keys(settings).filter((key) => !READ.has(key) && !HARMLESS.has(key)),
  };
}

/** `4 bits in groups of 128`, for people. */
export function formsText({ forms, symmetric }: GroupSettings): string {
  const texts = forms.map(({ bits, groupSize }) =>
    groupSize === -1 ? `${bits} bits, one group a row` : `${bits} bits in groups of ${groupSize}`,
  );
  return `${texts.join(" or ")}, ${symmetric ? "symmetric" : "asymmetric"}`;
}

/** Exceptions by name: what `extra_config` (AutoRound) and `dynamic` (GPTQModel) say. */
function* exceptionsIn(
  settings: Settings,
  where: string,
): Generator<readonly [name: string, exception: Settings | "float", where: string]> {
  for (const key of ["extra_config", "dynamic"]) {
    const table = settings[key];
    if (table === undefined || table === null) continue;
    if (!isJsonObject(table)) throw new ModelFormatError("is not an object", { where: `${where}.${key}` });
    const entries = Object.entries(table);
    if (entries.length > MAX_EXCEPTIONS) {
      throw new ModelFormatError(`${entries.length} exceptions are more than ${MAX_EXCEPTIONS}`, {
        where: `${where}.${key}`,
      });
    }
    for (const [name, value] of entries) {
      const at = `${where}.${key}.${quoted(name)}`;
      const [, sign, pattern = name] = key === "dynamic" ? (/^([+-]):(.*)$/s.exec(name) ?? []) : [];
      if (!isJsonObject(value)) throw new ModelFormatError("is not an object", { where: at });
      const bits = value.bits;
      const isFloat =
        bits === undefined ? value.data_type === "float" : typeof bits === "number" && bits >= FLOAT_BITS;
      if (sign === "-" || isFloat) yield [pattern, "float", at];
      else {
        refuseOthers(value, at);
        yield [pattern, value, at];
      }
    }
  }
}

function readForm(settings: Settings, usual: GroupForm | undefined, where: string): GroupForm {
  const bits = oneOf(settings, BITS, where) ?? usual?.bits;
  if (bits !== 4 && bits !== 8) {
    if (bits === undefined) throw new ModelFormatError("does not say how many bits", { where });
    throw new UnsupportedError(`weights of ${quoted(String(bits))} bits`, {
      where: `${where}.bits`,
      remedy: "4 and 8 bits can be read",
    });
  }
  const groupSize = oneOf(settings, GROUP_SIZE, where) ?? usual?.groupSize;
  if (groupSize === undefined) throw new ModelFormatError("does not say how large groups are", { where });
  const whole = typeof groupSize === "number" && Number.isInteger(groupSize);
  if (!whole || (groupSize !== -1 && (groupSize <= 0 || groupSize % 32 !== 0))) {
    throw new UnsupportedError(`groups of ${quoted(String(groupSize))}`, {
      where: `${where}.group_size`,
      remedy: "groups of multiples of 32, or -1 for one a row, can be read",
    });
  }
  return { bits, groupSize };
}

/** Undefined when it is not said. */
function saysSymmetric({ sym, zero_point }: Settings): boolean | undefined {
  if (typeof sym === "boolean") return sym;
  return typeof zero_point === "boolean" ? !zero_point : undefined;
}

/** The value of a key that has several spellings. @throws ModelFormatError when they contradict each other. */
export function oneOf(settings: Settings, keys: readonly string[], where: string): unknown {
  const said = keys.filter((key) => settings[key] !== undefined && settings[key] !== null);
  const [first, ...others] = said;
  if (first === undefined) return undefined;
  const other = others.find((key) => settings[key] !== settings[first]);
  if (other !== undefined) {
    const [a, b] = [first, other].map((key) => `${key} ${quoted(String(settings[key]))}`);
    throw new ModelFormatError(`${a} and ${b} contradict each other`, { where });
  }
  return settings[first];
}

function refuseOthers(settings: Settings, where: string): void {
  const { data_type: type, act_bits: activations, super_bits: scales, pack_dtype: words } = settings;
  const refuse = (key: string, reason: string): never => {
    throw new UnsupportedError(reason, {
      where: `${where}.${key}`,
      remedy: "convert the original weights with `nextstep convert`",
    });
  };
  if (typeof settings.sym === "boolean" && settings.zero_point === settings.sym) {
    throw new ModelFormatError("sym and zero_point contradict each other", { where });
  }
  if (isSaid(type) && type !== "int") refuse("data_type", `weights of type ${quoted(String(type))}`);
  if (isSaid(activations) && !(typeof activations === "number" && activations >= FLOAT_BITS)) {
    refuse("act_bits", `activations of ${quoted(String(activations))} bits`);
  }
  if (isSaid(scales)) refuse("super_bits", "scales that are quantized themselves");
  if (isSaid(words) && !/^(?:torch\.)?int32$/.test(String(words))) {
    refuse("pack_dtype", `words of type ${quoted(String(words))}`);
  }
  for (const key of REFUSED) if (isSaid(settings[key])) refuse(key, `weights changed by ${quoted(key)}`);
}

function isSaid(value: unknown): boolean {
  const isEmpty = isJsonObject(value) && Object.keys(value).length === 0;
  return value !== undefined && value !== null && value !== false && !isEmpty;
}

function namesIn(settings: Settings, key: string, where: string): string[] {
  const names = settings[key];
  if (names === undefined || names === null) return [];
  if (
    !Array.isArray(names) ||
    names.length > MAX_EXCEPTIONS ||
    !names.every((name) => typeof name === "string")
  ) {
    throw new ModelFormatError("is not a list of names", { where: `${where}.${key}` });
  }
  return names as string[];
}
