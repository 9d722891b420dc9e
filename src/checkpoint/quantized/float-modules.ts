/** @file Which modules of a checkpoint in blocks have matrices that are stored as floats, for people. */
import type { TensorSet } from "../tensor-set.ts";

/**
 * Official names, in the order of the file. Where no layer has blocks, each once for all: `image_head.net.res_blocks.*.mlp.0`.
 */
export function floatModules({ entries, quantized }: TensorSet): string[] {
  const inBlocks = new Set(Array.from(quantized?.matrices.keys() ?? [], everyLayer));
  const modules = new Set<string>();
  for (const [name, { shape }] of entries) {
    if (shape.length !== 2 || !name.endsWith(".weight") || quantized?.matrices.has(name)) continue;
    const all = everyLayer(name);
    modules.add((inBlocks.has(all) ? name : all).slice(0, -".weight".length));
  }
  return [...modules];
}

function everyLayer(name: string): string {
  return name.replace(/^((?:layers|image_head\.net\.res_blocks)\.)\d+\./, "$1*.");
}
