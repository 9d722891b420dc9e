/** @file An adapter made of the matrices that are trained, and its folder. */
import type { Adapter } from "../../checkpoint/adapter/adapter-folder.ts";
import { type AdapterLinear, downName, upName } from "../../model/adapter.ts";
import { writeAdapterFolder } from "../../node/write-adapter-folder.ts";
import type { TrainedOn } from "../model/trained-on.ts";
import type { NamedBuffer } from "../optimizer/trainable.ts";
import { type AdaptedLinear, alphaOf } from "./adapter-linears.ts";
import type { AdapterSettings } from "./adapter-train-config.ts";

export function trainedAdapter(linears: readonly AdaptedLinear[], weights: readonly NamedBuffer[]): Adapter {
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

export interface TrainedAdapter {
  readonly linears: readonly AdaptedLinear[];
  readonly weights: readonly NamedBuffer[];
  /** For people: what it was trained beside. */
  readonly base: string;
  readonly settings: AdapterSettings;
  /** What its pictures and captions show. */
  readonly trained: TrainedOn;
}

/** Writes it in PEFT's layout. */
export async function writeTrainedAdapter(
  folder: string,
  { linears, weights, base, settings, trained }: TrainedAdapter,
): Promise<void> {
  const { rank, alpha, dropout, rankStabilised } = settings;
  const ranks = linears.filter((linear) => linear.rank !== rank).map((own) => [own.name, own.rank]);
  const alphas = linears
    .map(({ name }) => [name, alphaOf(name, settings)] as const)
    .filter(([, own]) => own !== alpha);
  await writeAdapterFolder(folder, {
    ...{ base, rank, alpha, dropout, rankStabilised },
    ranks: Object.fromEntries(ranks),
    alphas: Object.fromEntries(alphas),
    linears: trainedAdapter(linears, weights).linears,
    trained,
  });
}
