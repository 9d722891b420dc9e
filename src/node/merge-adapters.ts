/** @file Adds adapters to a model's own weights, for good: a folder that any program reads. */
import type { ModelFolder } from "../checkpoint/model-folder.ts";
import { UnsupportedError } from "../errors.ts";
import { isJsonObject, readJson } from "../formats/json-file.ts";
import type { TensorToWrite } from "../formats/tensor-source.ts";
import type { OpenAdapter } from "../generate/adapter-mix.ts";
import { NEXTSTEP_FILE } from "../generate/default-settings.ts";
import { parseTrainedOn, trainedBeside } from "../generate/trained-on.ts";
import { mergeInto } from "../model/adapter.ts";
import { fromFloat32, toFloat32 } from "../tensor/tensor.ts";
import { contentsOf, type ModelFolderToWrite, writeModelFolder } from "./write-model-folder.ts";

/**
 * Writes the folder `target`: the model, with W + scale * B A in place of each adapted W, rounded to the type that W is stored
 * in. One weight is in memory at a time. The words of both are what the folder is said to be trained on.
 * @throws UnsupportedError for weights in blocks, whose rounding would swallow what is added; InputError if `target` exists.
 */
export async function mergeAdapters(
  folder: ModelFolder,
  parts: readonly { readonly adapter: OpenAdapter; readonly scale: number }[],
  target: string,
): Promise<void> {
  if (folder.tensors.quantized !== undefined) {
    throw new UnsupportedError("has weights of a few bits, to which nothing can be added", {
      where: folder.path,
      remedy: "merge into the folder that it was converted from, and convert the result",
    });
  }
  const contents = contentsOf(folder);
  const tensors = contents.tensors.map((tensor): TensorToWrite => {
    const own = parts.flatMap(({ adapter, scale }) =>
      adapter.linears
        .filter(({ name }) => `${name}.weight` === tensor.name)
        .map((linear) => ({ ...linear, scale: scale * linear.scale })),
    );
    if (own.length === 0) return tensor;
    // What is stored in strides is written in rows.
    const { strides: _strides, ...plain } = tensor;
    return {
      ...plain,
      load: async () => {
        const stored = await tensor.load();
        const data = toFloat32(stored).slice();
        for (const linear of own) mergeInto(data, linear);
        return fromFloat32(stored.dtype, stored.shape, data);
      },
    };
  });
  await writeModelFolder(target, { ...contents, tensors, ...(await settingsWith(folder, parts)) });
}

/** The model's nextstep.json, with what the adapters were trained on where it says that of the model. */
async function settingsWith(
  { files }: ModelFolder,
  parts: readonly { readonly adapter: OpenAdapter }[],
): Promise<Pick<ModelFolderToWrite, "settings" | "settingsJson">> {
  if (!(await files.has(NEXTSTEP_FILE))) return {};
  const json = await readJson(await files.open(NEXTSTEP_FILE));
  if (!isJsonObject(json) || json.trained === undefined) return { settings: files };
  const told = parts.map(({ adapter }) => adapter.trained ?? {});
  const model = parseTrainedOn(json, files.pathOf(NEXTSTEP_FILE));
  return { settingsJson: { ...json, trained: trainedBeside(model, told) } };
}
