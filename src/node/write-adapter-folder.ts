/** @file Writes an adapter in PEFT's layout: read by PEFT, and by the checkpoint room. */
import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { ADAPTER_PREFIX, ADAPTER_WEIGHTS_FILE } from "../checkpoint/adapter/adapter-folder.ts";
import { ADAPTER_CONFIG_FILE } from "../checkpoint/adapter/peft-config.ts";
import { replaceText } from "../files/replacement-file.ts";
import { writeSafetensors } from "../files/safetensors-files.ts";
import { tensorsToWrite } from "../formats/tensor-source.ts";
import { NEXTSTEP_FILE } from "../generate/default-settings.ts";
import { type AdapterLinear, downName, upName } from "../model/adapter.ts";
import { float32Tensor } from "../tensor/tensor.ts";

export interface AdapterToWrite {
  /** For people: what the adapter was trained on. */
  readonly base: string;
  readonly rank: number;
  readonly alpha: number;
  readonly dropout: number;
  readonly rankStabilised: boolean;
  /** By the linear's name, where they are others. */
  readonly ranks?: Readonly<Record<string, number>>;
  readonly alphas?: Readonly<Record<string, number>>;
  /** What it was trained on (`trained` of nextstep.json), for notes on what it is asked for. */
  readonly trained?: object;
  readonly linears: readonly Pick<AdapterLinear, "name" | "inputs" | "outputs" | "rank" | "down" | "up">[];
}

/** Writes the files into a folder, made if need be; files of these names are replaced. */
export async function writeAdapterFolder(folder: string, adapter: AdapterToWrite): Promise<void> {
  await mkdir(folder, { recursive: true });
  const tensors = adapter.linears.flatMap(({ name, inputs, outputs, rank, down, up }) => [
    [ADAPTER_PREFIX + downName(name), float32Tensor([rank, inputs], down)] as const,
    [ADAPTER_PREFIX + upName(name), float32Tensor([outputs, rank], up)] as const,
  ]);
  await writeSafetensors(
    join(folder, ADAPTER_WEIGHTS_FILE),
    tensorsToWrite(tensors),
    new Map([["format", "pt"]]),
  );
  await replaceText(
    join(folder, ADAPTER_CONFIG_FILE),
    `${JSON.stringify(configJson(adapter), undefined, 2)}\n`,
  );
  const { trained } = adapter;
  if (trained === undefined) return;
  await replaceText(join(folder, NEXTSTEP_FILE), `${JSON.stringify({ trained }, undefined, 2)}\n`);
}

function configJson({ base, rank, alpha, dropout, rankStabilised, ...adapter }: AdapterToWrite): object {
  return {
    peft_type: "LORA",
    task_type: null,
    base_model_name_or_path: base,
    inference_mode: true,
    r: rank,
    lora_alpha: alpha,
    lora_dropout: dropout,
    use_rslora: rankStabilised,
    target_modules: adapter.linears.map(({ name }) => name),
    rank_pattern: exact(adapter.ranks),
    alpha_pattern: exact(adapter.alphas),
    bias: "none",
    fan_in_fan_out: false,
    init_lora_weights: true,
    modules_to_save: null,
    use_dora: false,
  };
}

/** A module's whole name, which PEFT would otherwise look for at the end of others. */
function exact(values: Readonly<Record<string, number>> = {}): Readonly<Record<string, number>> {
  return Object.fromEntries(Object.entries(values).map(([name, value]) => [`^${name}`, value]));
}
