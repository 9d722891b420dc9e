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
 * Asks for every weight that a session needs. Weights that lie in files as the graph wants them stay there: the engine
 * maps the files and packs from the maps, so that each weight is in memory once. It does so for all weights of a
 * session or for none, so when one must be converted or comes from memory, the others are read as well.
 * @throws InputError when a weight is missing or has another number of elements or another type than the graph's.
 * @throws ModelFormatError when a file ends before its weight does.
 */
export async function bindAll(model: OnnxModel, weights: WeightSource | undefined): Promise<BoundWeights> {
  await using files = new WeightFiles();
  const stored: (readonly [Port, StoredWeight])[] = [];
  for (const port of boundParameters(model)) stored.push([port, await ask(port, weights)]);
  return (await mapFiles(files, stored)) ?? (await gatherBuffers(files, stored));
}

/** The weights where they lie, or undefined when the engine cannot use one as it is. */
async function mapFiles(
  files: WeightFiles,
  stored: readonly (readonly [Port, StoredWeight])[],
): Promise<BoundWeights | undefined> {
  const places = new Map<string, WeightPlace>();
  let folder: string | undefined;
  for (const [port, weight] of stored) {
    if (!isRange(weight) || !isMappable(port, weight)) return undefined;
    checkLength(port, weight.length / bytesPerElement(weight.dtype));
    const path = await files.locate(weight);
    // Locations may not leave the folder, and weights of one session may lie in several: their root has them all.
    const { root } = parse(path);
    folder ??= root;
    if (root !== folder) return undefined;
    const location = relative(root, path).split(sep).join("/");
    places.set(port.name, { location, offset: weight.offset, length: weight.length });
  }
  return { places, buffers: [], folder };
}

async function gatherBuffers(
  files: WeightFiles,
  stored: readonly (readonly [Port, StoredWeight])[],
): Promise<BoundWeights> {
  const places = new Map<string, WeightPlace>();
  const buffers: { path: string; data: Uint8Array }[] = [];
  for (const [port, weight] of stored) {
    const data = bytesFor(port, isRange(weight) ? await readRange(files, weight) : weight);
    buffers.push({ path: port.name, data });
    places.set(port.name, { location: port.name, offset: 0, length: data.byteLength });
  }
  return { places, buffers, folder: undefined };
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
