/**
 * @file Writes a checkpoint that others quantized with the same integers in this program's blocks: nothing is rounded, and
 * the engine maps the result where it lies, while the original is repacked in memory whenever it is opened.
 */
import { type ModelFolder, openModelFolder } from "../checkpoint/model-folder.ts";
import {
  inMappableOrder,
  NEXTSTEP_LAYOUT,
  nextstepParts,
  nextstepSettings,
} from "../checkpoint/quantized/nextstep-layout.ts";
import type { QuantizedWeights } from "../checkpoint/quantized/quantized-weights.ts";
import { QUANTIZATION_KEY } from "../checkpoint/quantized/read-quantized.ts";
import { InputError, refuseAborted } from "../errors.ts";
import type { FileFolder } from "../formats/file-folder.ts";
import { isJsonObject, readJson } from "../formats/json-file.ts";
import type { TensorToWrite } from "../formats/tensor-source.ts";
import { contentsOf, writeModelFolder } from "../node/write-model-folder.ts";
import type { StoredWeight } from "../runtime/engine.ts";
import type { Tensor } from "../tensor/tensor.ts";

const CONFIG_FILE = "config.json";

export interface RepackRequest {
  readonly files: FileFolder;
  /** Folder to make. */
  readonly target: string;
  /** Bits that are asked for: those of the checkpoint. */
  readonly bits: 4 | 8;
  readonly signal?: AbortSignal;
  readonly onProgress?: (matrices: { readonly done: number; readonly total: number }) => void;
}

/** Whether a folder's weights were quantized by another program; false for a folder without a readable config.json. */
export async function isQuantizedByOthers(files: FileFolder): Promise<boolean> {
  if (!(await files.has(CONFIG_FILE))) return false;
  const json = await readJson(await files.open(CONFIG_FILE));
  const settings = isJsonObject(json) ? json[QUANTIZATION_KEY] : undefined;
  return isJsonObject(settings) && settings.quant_method !== NEXTSTEP_LAYOUT;
}

/**
 * Repacks one matrix after the other into the folder `target`, which appears when it is whole.
 * @returns how the original was stored, for people.
 * @throws InputError when the checkpoint has other bits than asked for or `target` exists, and as opening it does.
 */
export async function repackModel({
  files,
  target,
  bits,
  signal,
  onProgress,
}: RepackRequest): Promise<string> {
  await using folder = await openModelFolder(files, { startWeights: true });
  const { quantized } = folder.tensors;
  if (quantized === undefined) throw new InputError("holds floats", { where: files.path });
  const stored = new Set(Array.from(quantized.matrices.values(), ({ format }) => format.bits));
  if (!stored.has(bits)) {
    throw new InputError(`the weights are stored in ${[...stored].join(" and ")} bits already`, {
      where: "--bits",
      remedy: "ask for those, which keeps every weight, or convert the original weights",
    });
  }
  let done = 0;
  const tick = (): void => {
    refuseAborted(signal);
    onProgress?.({ done: ++done, total: quantized.matrices.size });
  };
  const { configJson, ...content } = contentsOf(folder);
  const formats = Object.fromEntries(Array.from(quantized.matrices, ([name, { format }]) => [name, format]));
  await writeModelFolder(target, {
    ...content,
    settings: files,
    configJson: { ...(configJson as object), [QUANTIZATION_KEY]: nextstepSettings(formats) },
    tensors: inMappableOrder(tensorsOf(folder, quantized, tick)),
  });
  return quantized.layout;
}

function tensorsOf({ tensors }: ModelFolder, quantized: QuantizedWeights, tick: () => void): TensorToWrite[] {
  const packed = [...quantized.matrices];
  const replaced = new Set(packed.flatMap(([, { parts }]) => parts.map(({ name }) => name)));
  for (const [name] of packed) replaced.delete(name.replace(/weight$/, "bias"));
  const floats = tensors.toWrite().filter(({ name }) => !replaced.has(name));
  const blocks = packed.flatMap(([name, { shape, format }]) =>
    nextstepParts(name, shape, format).map(
      (part): TensorToWrite => ({
        ...part,
        load: async () => {
          if (part.name === name) tick();
          const { shape: partShape, dtype } = part;
          const weight = await quantized.weightSource({
            name: part.name,
            dtype: "uint8",
            shape: [...partShape],
          });
          return { dtype, shape: partShape, data: inMemory(weight) };
        },
      }),
    ),
  );
  return [...floats, ...blocks];
}

function inMemory(weight: StoredWeight): Tensor["data"] {
  if ("file" in weight) throw new TypeError("weights that are repacked lie in no file");
  return weight instanceof Float32Array ? weight : weight.data;
}
