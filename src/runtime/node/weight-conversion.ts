/** @file Whether the engine can use a weight where it lies, and its bytes as the graph takes them. */
import { InputError } from "../../errors.ts";
import type { Port } from "../../graph/onnx-messages.ts";
import { bytesOf, bytesPerElement, elementsFromBytes } from "../../tensor/dtype.ts";
import { elementCount } from "../../tensor/shape.ts";
import { toFloat32 } from "../../tensor/tensor.ts";
import type { StoredWeight, WeightBytes, WeightRange } from "../engine.ts";
import type { WeightFiles } from "./weight-files.ts";

export function isRange(stored: StoredWeight): stored is WeightRange {
  return "file" in stored;
}

/** Whether the engine can use the bytes as they lie there. Files promise no alignment. */
export function isMappable({ dtype }: Port, stored: WeightRange): boolean {
  return stored.dtype === dtype && stored.offset % bytesPerElement(stored.dtype) === 0;
}

/**
 * The elements of a weight in the graph's own type: float32 is made of anything, other types must be stored so.
 * @throws InputError when they are of another number or type; as {@link WeightFiles.read} does.
 */
export async function bytesFor(port: Port, stored: StoredWeight, files: WeightFiles): Promise<Uint8Array> {
  const weight = await elementsOf(stored, files);
  checkLength(port, weight.data.length);
  if (weight.dtype === port.dtype) return bytesOf(weight.data);
  if (port.dtype !== "float32") {
    throw new InputError(`is stored as ${weight.dtype}, but the graph takes ${port.dtype}`, {
      where: `parameter "${port.name}"`,
    });
  }
  return bytesOf(toFloat32({ ...weight, shape: [weight.data.length] }));
}

/** @throws InputError when a weight has another number of elements than the graph's. */
export function checkLength({ name, shape }: Port, elements: number): void {
  const expected = elementCount(shape as readonly number[]);
  if (elements !== expected) {
    throw new InputError(`expects ${expected} elements [${shape}], got ${elements}`, {
      where: `parameter "${name}"`,
    });
  }
}

async function elementsOf(stored: StoredWeight, files: WeightFiles): Promise<WeightBytes> {
  if (stored instanceof Float32Array) return { dtype: "float32", data: stored };
  if (!isRange(stored)) return stored;
  return { dtype: stored.dtype, data: elementsFromBytes(stored.dtype, await files.read(stored)) };
}
