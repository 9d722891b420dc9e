/** @file Adds adapters to a model's own weights, for good: a folder that any program reads. */
import type { Adapter } from "../checkpoint/adapter/adapter-folder.ts";
import type { ModelFolder } from "../checkpoint/model-folder.ts";
import { UnsupportedError } from "../errors.ts";
import type { TensorToWrite } from "../formats/tensor-source.ts";
import { mergeInto } from "../model/adapter.ts";
import { fromFloat32, toFloat32 } from "../tensor/tensor.ts";
import { contentsOf, writeModelFolder } from "./write-model-folder.ts";

/**
 * Writes the folder `target`: the model, with W + scale * B A in place of each adapted W, rounded to the type that W is stored
 * in. One weight is in memory at a time.
 * @throws UnsupportedError for weights in blocks, whose rounding would swallow what is added; InputError if `target` exists.
 */
export async function mergeAdapters(
  folder: ModelFolder,
  parts: readonly { readonly adapter: Adapter; readonly scale: number }[],
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
  await writeModelFolder(target, { ...contents, tensors, settings: folder.files });
}
