/**
 * @file Readers for checkpoints made by GPTQ (AutoGPTQ, GPTQModel), AWQ (AutoAWQ) and AutoRound. All store the same
 * kinds of tensors; these read what the settings of each say about them.
 */
import { ModelFormatError, UnsupportedError } from "../../errors.ts";
import { quoted } from "../../formats/quoted.ts";
import { oneOf, readGroupSettings, type Settings } from "./group-settings.ts";
import { readGroupedLayout } from "./grouped-layout.ts";
import type { WordLayout } from "./grouped-source.ts";
import type { LayoutReader } from "./quantized-weights.ts";

const GPTQ_V1: Omit<WordLayout, "title"> = { along: "inputs", zeroOffset: 1 };
const GPTQ_V2: Omit<WordLayout, "title"> = { along: "inputs", zeroOffset: 0 };
const AWQ: Omit<WordLayout, "title"> = { along: "outputs", zeroOffset: 0 };

const GPTQ_FORMATS: ReadonlyMap<string, Omit<WordLayout, "title">> = new Map([
  ["gptq", GPTQ_V1],
  ["gptq_v2", GPTQ_V2],
]);

/** Packings of AutoRound without the kernels that a version may name behind them. */
const AUTO_ROUND_PACKINGS: ReadonlyMap<string, Omit<WordLayout, "title">> = new Map([
  ["auto_round:auto_gptq", GPTQ_V1],
  ["auto_round:gptq", GPTQ_V1],
  ["auto_round:auto_awq", AWQ],
  ["auto_round:awq", AWQ],
  // Without the detour over GPTQ's first format, zero points are stored as they are.
  ["auto_round", GPTQ_V2],
  ["auto_round:gptqmodel", GPTQ_V2],
]);
/** Programs for which a packing was meant; they read the same tensors. */
const AUTO_ROUND_KERNELS = /:(?:exllamav2|tritonv2|tritonv2_zp|triton|torch|torch_zp|cuda)$/;
/** What checkpoints without the key are in, as the published readers have it. */
const AUTO_ROUND_DEFAULT = "auto_round:auto_gptq";

export const readGptqLayout: LayoutReader = (checkpoint) => {
  const { settings, where } = checkpoint;
  if (settings.is_marlin_format === true) refuseFormat("marlin", `${where}.is_marlin_format`, GPTQ_FORMATS);
  const format = stated(settings, ["checkpoint_format", "format"], where) ?? "gptq";
  const words = GPTQ_FORMATS.get(format) ?? refuseFormat(format, `${where}.checkpoint_format`, GPTQ_FORMATS);
  return readGroupedLayout(checkpoint, readGroupSettings(settings, where), { ...words, title: format });
};

export const readAwqLayout: LayoutReader = (checkpoint) => {
  const { settings, where } = checkpoint;
  const version = stated(settings, ["version", "checkpoint_format", "format"], where) ?? "gemm";
  if (version !== "gemm") refuseFormat(version, `${where}.version`, new Map([["gemm", AWQ]]));
  return readGroupedLayout(checkpoint, readAwqSettings(settings, where), { ...AWQ, title: "awq (gemm)" });
};

export const readAutoRoundLayout: LayoutReader = (checkpoint) => {
  const { settings, where } = checkpoint;
  const packing = autoRoundPacking(settings, where);
  const key = packing.replace(/^auto-?round/, "auto_round").replace(AUTO_ROUND_KERNELS, "");
  const words =
    AUTO_ROUND_PACKINGS.get(key) ?? refuseFormat(packing, `${where}.packing_format`, AUTO_ROUND_PACKINGS);
  const read = words === AWQ ? readAwqSettings : readGroupSettings;
  return readGroupedLayout(checkpoint, read(settings, where), { ...words, title: `auto-round (${key})` });
};

/** Early versions had no packing format and named it in `backend`, which in later ones is a wish of the publisher. */
function autoRoundPacking(settings: Settings, where: string): string {
  const packing = stated(settings, ["packing_format"], where);
  if (packing !== undefined) return packing;
  const backend = stated(settings, ["backend"], where);
  if (backend === undefined || backend === "auto") return AUTO_ROUND_DEFAULT;
  return /^auto[_-]?round/.test(backend) ? backend : `auto_round:${backend}`;
}

/** There are only words of 4 bits in AWQ's order. */
function readAwqSettings(settings: Settings, where: string): ReturnType<typeof readGroupSettings> {
  const read = readGroupSettings(settings, where);
  const { bits } = read.forms.find((form) => form.bits !== 4) ?? {};
  if (bits === undefined) return read;
  throw new UnsupportedError(`weights of ${bits} bits packed by AWQ`, {
    where: `${where}.bits`,
    remedy: "4 bits can be read",
  });
}

/** A name that settings state, in lower case. */
function stated(settings: Settings, keys: readonly string[], where: string): string | undefined {
  const value = oneOf(settings, keys, where);
  if (value === undefined) return undefined;
  if (typeof value !== "string") throw new ModelFormatError(`${keys[0]} is not a name`, { where });
  return value.toLowerCase();
}

function refuseFormat(format: string, where: string, known: ReadonlyMap<string, unknown>): never {
  throw new UnsupportedError(`weights packed as ${quoted(format)}`, {
    where,
    remedy: `known are ${[...known.keys()].join(", ")}; convert the original weights with \`nextstep convert\``,
  });
}
