/** @file Which modules of a checkpoint in blocks have matrices that are stored as floats, for people. */
import type { TensorSet } from "../tensor-set.ts";

/** Each once for all layers: `image_head.net.res_blocks.*.mlp.0`. Official names, in the order of the file. */
export function floatModules({ entries, quantized }: TensorSet): string[] {
  const modules = new Set<string>();
  for (const [name, { shape }] of entries) {
    if (shape.length !== 2 || !name.endsWith(".weight") || quantized?.matrices.has(name)) continue;
    const module = name.slice(0, -".weight".length);
    modules.add(module.replace(/^((?:layers|image_head\.net\.res_blocks)\.)\d+\./, "$1*."));
  }
  return [...modules];
}
