/** @file Writes a model folder's copy with its matrices in blocks of any format, as converted folders store them. */
import { cp, readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { openModelFolder } from "../../src/checkpoint/model-folder.ts";
import {
  type FormatTable,
  matchesPattern,
  nextstepParts,
  nextstepSettings,
} from "../../src/checkpoint/quantized/nextstep-layout.ts";
import { LocalFolder } from "../../src/files/local-folder.ts";
import { writeSafetensors } from "../../src/files/safetensors-files.ts";
import { INDEX_FILE } from "../../src/formats/safetensors-set.ts";
import type { TensorToWrite } from "../../src/formats/tensor-source.ts";
import { type BlockFit, quantizeBlocks } from "../../src/model/block-quantization.ts";

export async function writeBlocks(
  source: string,
  target: string,
  formats: FormatTable,
  fit: BlockFit = "nearest",
): Promise<void> {
  await cp(source, target, { recursive: true });
  await rm(join(target, INDEX_FILE), { force: true });
  await using folder = await openModelFolder(new LocalFolder(source));
  const tensors: TensorToWrite[] = [];
  for (const tensor of folder.tensors.toWrite()) {
    const { name, shape } = tensor;
    const [, format] = Object.entries(formats).find(([pattern]) => matchesPattern(name, pattern)) ?? [];
    if (format === undefined) {
      tensors.push(tensor);
      continue;
    }
    const [outputs, inputs] = shape as [number, number];
    const { packed, scales, zeroPoints } = quantizeBlocks(
      await folder.tensors.read(name),
      outputs,
      inputs,
      format,
      fit,
    );
    const data = [packed, scales, zeroPoints ?? new Uint8Array()];
    nextstepParts(name, [outputs, inputs], format).forEach((part, i) => {
      tensors.push({ ...part, load: () => ({ ...part, data: data[i]! }) });
    });
  }
  await writeSafetensors(join(target, "model.safetensors"), tensors);
  const path = join(target, "config.json");
  const json: object = JSON.parse(await readFile(path, "utf8"));
  await writeFile(path, JSON.stringify({ ...json, quantization_config: nextstepSettings(formats) }));
}
