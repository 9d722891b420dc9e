/** @file The weights of a session, from wherever they are to where the engine takes them. */
import { parse, relative, sep } from "node:path";
import { InputError } from "../../errors.ts";
import type { Port, WeightPlace } from "../../graph/onnx-messages.ts";
import { boundParameters } from "../../graph/onnx-weights.ts";
import type { OnnxModel } from "../../graph/onnx-writer.ts";
import { bytesPerElement } from "../../tensor/dtype.ts";
import type { StoredWeight, WeightSource } from "../engine.ts";
import { bytesFor, checkLength, isMappable, isRange } from "./weight-conversion.ts";
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
    const data = await bytesFor(port, weight, files);
    buffers.push({ path: port.name, data });
    places.set(port.name, { location: port.name, offset: 0, length: data.byteLength });
  }
  return { places, buffers, folder: undefined };
}

async function ask(port: Port, weights: WeightSource | undefined): Promise<StoredWeight> {
  if (weights === undefined) throw new InputError("no weights given", { where: `parameter "${port.name}"` });
  return weights(port);
}
