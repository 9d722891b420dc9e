/** @file An adapter in training: as drawing takes it, and as it is written. */
import type { Adapter } from "../../checkpoint/adapter/adapter-folder.ts";
import { type AdapterLinear, downName, upName } from "../../model/adapter.ts";
import { writeAdapterFolder } from "../../node/write-adapter-folder.ts";
import type { NamedBuffer } from "../optimizer/trainable.ts";
import { type AdaptedLinear, alphaOf } from "./adapter-linears.ts";
import type { AdapterSettings } from "./adapter-train-config.ts";

/** Its matrices are those of `weights`, not copies. */
export function adapterOf(linears: readonly AdaptedLinear[], weights: readonly NamedBuffer[]): Adapter {
  const byName = new Map(weights.map(({ name, data }) => [name, data]));
  return {
    ...{ name: "adapter", path: "", digest: "in training" },
    linears: linears.map(
      (linear): AdapterLinear => ({
        ...linear,
        down: byName.get(downName(linear.name)) as Float32Array,
        up: byName.get(upName(linear.name)) as Float32Array,
      }),
    ),
  };
}

/**
 * Writes it into a folder, in PEFT's layout.
 * @param base name of the model that it was trained beside
 */
export async function writeTrainedAdapter(
  folder: string,
  adapter: {
    readonly base: string;
    readonly settings: AdapterSettings;
    readonly linears: readonly AdaptedLinear[];
  },
  weights: readonly NamedBuffer[],
): Promise<void> {
  const { base, settings, linears } = adapter;
  const { rank, alpha, dropout, rankStabilised } = settings;
  const ranks = linears.filter((linear) => linear.rank !== rank).map((own) => [own.name, own.rank]);
  const alphas = linears
    .map(({ name }) => [name, alphaOf(name, settings)] as const)
    .filter(([, own]) => own !== alpha);
  await writeAdapterFolder(folder, {
    ...{ base, rank, alpha, dropout, rankStabilised },
    ranks: Object.fromEntries(ranks),
    alphas: Object.fromEntries(alphas),
    linears: adapterOf(linears, weights).linears,
  });
}
