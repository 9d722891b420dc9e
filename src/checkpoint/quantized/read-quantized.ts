/** @file Finds the reader for the layout in which a checkpoint stores its matrices. */
import { ModelFormatError, UnsupportedError } from "../../errors.ts";
import { isJsonObject } from "../../formats/json-file.ts";
import { quoted } from "../../formats/quoted.ts";
import type { ParameterSpec } from "../../model/parameter-scope.ts";
import { NEXTSTEP_LAYOUT, readNextstepLayout } from "./nextstep-layout.ts";
import type { LayoutReader, QuantizedWeights, StoredTensors } from "./quantized-weights.ts";
import { readAutoRoundLayout, readAwqLayout, readGptqLayout } from "./third-party-layouts.ts";

/** Key of config.json under which every tool says how it stored the matrices. */
export const QUANTIZATION_KEY = "quantization_config";

/** By `quant_method`, as the tools have spelled it. */
const LAYOUTS: ReadonlyMap<string, LayoutReader> = new Map<string, LayoutReader>([
  [NEXTSTEP_LAYOUT, readNextstepLayout],
  ["auto-round", readAutoRoundLayout],
  ["gptq", readGptqLayout],
  ["awq", readAwqLayout],
]);
const SPELLINGS: ReadonlyMap<string, string> = new Map([
  ["intel/auto-round", "auto-round"],
  ["auto_round", "auto-round"],
  ["autoround", "auto-round"],
]);

/**
 * What `quantization_config` of a config.json says of the stored tensors; undefined when there is none.
 * @param configPath for messages.
 * @throws UnsupportedError for a method that is not known here, and as {@link LayoutReader} does.
 */
export async function readQuantized(
  configJson: unknown,
  configPath: string,
  tensors: StoredTensors,
  parameters: readonly ParameterSpec[],
): Promise<QuantizedWeights | undefined> {
  const settings = isJsonObject(configJson) ? configJson[QUANTIZATION_KEY] : undefined;
  if (settings === undefined || settings === null) return undefined;
  const where = `${configPath}: ${QUANTIZATION_KEY}`;
  if (!isJsonObject(settings)) throw new ModelFormatError("is not an object", { where });
  const { quant_method: method } = settings;
  const reader = typeof method === "string" ? layoutOf(method.toLowerCase()) : undefined;
  if (reader === undefined) {
    const named = typeof method === "string" ? `method ${quoted(method)}` : "a method without a name";
    throw new UnsupportedError(`weights quantized with ${named}`, {
      where,
      remedy: `known are ${[...LAYOUTS.keys()].join(", ")}; convert the original weights with \`nextstep convert\``,
    });
  }
  return reader({ settings, where, tensors, parameters });
}

function layoutOf(method: string): LayoutReader | undefined {
  return LAYOUTS.get(SPELLINGS.get(method) ?? method);
}
