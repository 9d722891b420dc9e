/** @file Every tensor of an open source as a list to write. */
import type { TensorSource, TensorToWrite } from "../../src/formats/tensor-source.ts";

/** In the order of the source, which must stay open meanwhile. */
export function copyTensors(source: TensorSource): TensorToWrite[] {
  return Array.from(source.tensors, ([name, { dtype, shape, strides }]) => ({
    name,
    dtype,
    shape,
    ...(strides === undefined ? {} : { strides }),
    load: () => source.readTensor(name),
  }));
}
