/** @file The weights of a session, from wherever they are to where the engine takes them. */
import { parse, relative, sep } from "node:path";
import { InputError } from "../errors.ts";
import type { Port, WeightPlace } from "../graph/onnx-messages.ts";
import { boundParameters } from "../graph/onnx-weights.ts";
import type { OnnxModel } from "../graph/onnx-writer.ts";
import { bytesOf, bytesPerElement, elementsFromBytes } from "../tensor/dtype.ts";
import { elementCount } from "../tensor/shape.ts";
import { toFloat32 } from "../tensor/tensor.ts";
import type { StoredWeight, WeightBytes, WeightRange, WeightSource } from "./engine.ts";
import { WeightFiles } from "./weight-files.ts";

export interface BoundWeights {
  /** By parameter name. */
  readonly places: ReadonlyMap<string, WeightPlace>;
  /** What is given in memory, by location. */
  readonly buffers: readonly { readonly path: string; readonly data: Uint8Array }[];
  /** Folder to which the locations of files are relative; undefined when all is in memory. */
  readonly folder: string | undefined;
}

/**
 * Asks for every weight that a session needs. A weight that lies in a file as the graph wants it stays there: the
 * engine maps it and packs from the map, so that it is in memory once. All else is read and converted here.
 * @throws InputError when a weight is missing or has another number of elements or another type than the graph's.
 * @throws ModelFormatError when a file ends before its weight does.
 */
export async function bindAll(model: OnnxModel, weights: WeightSource | undefined): Promise<BoundWeights> {
  const places = new Map<string, WeightPlace>();
  const buffers: { path: string; data: Uint8Array }[] = [];
  let folder: string | undefined;
  await using files = new WeightFiles();
  for (const port of boundParameters(model)) {
    const stored = await ask(port, weights);
    if (isRange(stored) && isMappable(port, stored)) {
      checkLength(port, stored.length / bytesPerElement(stored.dtype));
      const path = await files.locate(stored);
      // Locations may not leave the folder, and weights of one session may lie in several: their root has them all.
      const { root } = parse(path);
      folder ??= root;
      if (root === folder) {
        const location = relative(root, path).split(sep).join("/");
        places.set(port.name, { location, offset: stored.offset, length: stored.length });
        continue;
      }
    }
    const data = bytesFor(port, isRange(stored) ? await readRange(files, stored) : stored);
    buffers.push({ path: port.name, data });
    places.set(port.name, { location: port.name, offset: 0, length: data.byteLength });
  }
  return { places, buffers, folder };
}

async function ask(port: Port, weights: WeightSource | undefined): Promise<StoredWeight> {
  if (weights === undefined) throw new InputError("no weights given", { where: `parameter "${port.name}"` });
  return weights(port);
}

function isRange(stored: StoredWeight): stored is WeightRange {
  return "file" in stored;
}

/** Whether the engine can use the bytes as they lie there. Files promise no alignment. */
function isMappable({ dtype }: Port, stored: WeightRange): boolean {
  return stored.dtype === dtype && stored.offset % bytesPerElement(stored.dtype) === 0;
}

async function readRange(files: WeightFiles, range: WeightRange): Promise<WeightBytes> {
  return { dtype: range.dtype, data: elementsFromBytes(range.dtype, await files.read(range)) };
}

/** The elements of a weight in the graph's own type: float32 is made of anything, other types must be stored so. */
function bytesFor(port: Port, stored: Float32Array | WeightBytes): Uint8Array {
  const weight: WeightBytes = stored instanceof Float32Array ? { dtype: "float32", data: stored } : stored;
  checkLength(port, weight.data.length);
  if (weight.dtype === port.dtype) return bytesOf(weight.data);
  if (port.dtype !== "float32") {
    throw new InputError(`is stored as ${weight.dtype}, but the graph takes ${port.dtype}`, {
      where: `parameter "${port.name}"`,
    });
  }
  return bytesOf(toFloat32({ ...weight, shape: [weight.data.length] }));
}

function checkLength({ name, shape }: Port, elements: number): void {
  const expected = elementCount(shape as readonly number[]);
  if (elements !== expected) {
    throw new InputError(`expects ${expected} elements [${shape}], got ${elements}`, {
      where: `parameter "${name}"`,
    });
  }
}
