/** @file The objective of preference optimisation: pairs of pictures under one prompt (arXiv 2311.12908). */
import { DataFormatError } from "../../errors.ts";
import type { NextStepConfig } from "../../model/config.ts";
import type { HostTensor } from "../../runtime/engine.ts";
import { gridText } from "../../sequence/segments.ts";
import type { TextTokenizer } from "../../sequence/tokenizer.ts";
import { ShardedEpochOrder } from "../data/epoch-order.ts";
import type { LatentStore } from "../model/latent-store.ts";
import { AttentionMasks } from "../objective/attention-mask.ts";
import { flowDraws, type PlannedFlow, planFlow } from "../objective/flow-draws.ts";
import type { FrozenBase } from "../objective/frozen-base.ts";
import type { GraphChoice, LossSums, Objective, StepPlan } from "../objective/objective.ts";
import type { NamedBuffer } from "../optimizer/trainable.ts";
import type { JsonValue } from "../plain-json.ts";
import { randomFor } from "../step-random.ts";
import { cellsOf, pairFeeds, type TokenPair } from "./pair-batch.ts";
import type { PairErrorSession } from "./pair-error-session.ts";
import type { PairFolder } from "./pair-folder.ts";
import { type PreferenceSettings, preferenceGraph, SUMS } from "./preference-graph.ts";

export interface PreferencePlan extends StepPlan {
  /** Pairs of each part, by their numbers in the folder. */
  readonly pairs: readonly (readonly number[])[];
  /** Image tokens of one picture of each pair, in each part. */
  readonly cells: readonly (readonly number[])[];
  /** Times and noise of one picture a pair. */
  readonly flow: PlannedFlow;
}

export interface PreferenceObjectiveOptions extends PreferenceSettings {
  readonly seed: number;
  /** Pairs of a part, and parts of an update. */
  readonly batch: number;
  readonly accumulate: number;
  readonly rowLag: number | null;
  readonly gradientCheckpointing: boolean;
  /** Default: all weights are trained. */
  readonly base?: FrozenBase;
}

/** Pairs with the tokens of their pictures. */
export interface TokenPairs {
  readonly folder: Pick<PairFolder, "pairs" | "length">;
  readonly latents: Pick<LatentStore, "gridsOf" | "load">;
}

/** What the policy is compared with. */
export interface Reference {
  readonly session: Pick<PairErrorSession, "run">;
  /** The trained weights as they were at the start. */
  readonly weights: readonly NamedBuffer[];
}

export class PreferenceObjective implements Objective<PreferencePlan> {
  readonly #model: NextStepConfig;
  readonly #tokenizer: TextTokenizer;
  readonly #data: TokenPairs;
  readonly #reference: Reference;
  readonly #options: PreferenceObjectiveOptions;
  readonly #order: ShardedEpochOrder;
  readonly #masks = new AttentionMasks();

  constructor(
    model: NextStepConfig,
    tokenizer: TextTokenizer,
    data: TokenPairs,
    reference: Reference,
    options: PreferenceObjectiveOptions,
  ) {
    this.#model = model;
    this.#tokenizer = tokenizer;
    this.#data = data;
    this.#reference = reference;
    this.#options = options;
    this.#order = new ShardedEpochOrder(options.seed, [data.folder.length]);
  }

  async plan(step: number): Promise<PreferencePlan> {
    const { seed, batch, accumulate } = this.#options;
    const first = step * accumulate * batch;
    const pairs = Array.from({ length: accumulate }, (_, part) =>
      Array.from({ length: batch }, (__, place) => this.#order.sampleAt(first + part * batch + place)),
    );
    const cells: number[][] = [];
    for (const part of pairs) {
      cells.push(await Promise.all(part.map((pair) => cellsOfPair(this.#data, pair))));
    }
    return {
      ...{ parts: accumulate, images: 2 * accumulate * batch, pairs, cells },
      flow: planFlow(this.#model, total(cells.flat()), randomFor(seed, "preference", step)),
    };
  }

  graph(): GraphChoice {
    const { rowLag, base, gradientCheckpointing } = this.#options;
    const parts = { isOrdered: rowLag !== null };
    const build = () => preferenceGraph(this.#model, parts, this.#options, base, { gradientCheckpointing });
    return { key: "pairs", build };
  }

  async feeds(plan: PreferencePlan, part: number): Promise<Readonly<Record<string, HostTensor>>> {
    const { rowLag } = this.#options;
    const pairs = await loadPairs(this.#data, plan.pairs[part] ?? []);
    const before = total(plan.cells.slice(0, part).flat());
    const own = total(plan.cells[part] ?? []);
    const draws = flowDraws(this.#model, plan.flow, before, own);
    const batch = { model: this.#model, tokenizer: this.#tokenizer, rowLag, masks: this.#masks };
    const feeds = pairFeeds(batch, pairs, draws);
    const reference = await this.#reference.session.run(feeds, this.#reference.weights);
    const share = Float32Array.of(1 / plan.pairs.flat().length);
    return { ...feeds, reference, pair_share: { dtype: "float32", shape: [], data: share } };
  }

  metrics({ pairs }: PreferencePlan, sums: LossSums): Record<string, number> {
    return meansOf(sums, pairs.flat().length);
  }

  /** A plan depends on the step alone. */
  position(): JsonValue {
    return null;
  }

  restorePosition(position: JsonValue): void {
    if (position !== null)
      throw new DataFormatError("is no position of this training", { where: "position" });
  }
}

function total(counts: readonly number[]): number {
  return counts.reduce((sum, count) => sum + count, 0);
}

/**
 * The figures of pairs: `accuracy`, the share whose loser rose more above the reference; `margin`, the mean logit; `winner_loss`
 * and `loser_loss`, flow losses; `winner_rise` and `loser_rise`, what they are above the reference's.
 */
export function meansOf(sums: Readonly<Record<string, number>>, pairs: number): Record<string, number> {
  const mean = (name: string): number => (sums[name] ?? Number.NaN) / pairs;
  return {
    accuracy: mean(SUMS.right),
    margin: mean(SUMS.margin),
    winner_loss: mean(SUMS.winner),
    loser_loss: mean(SUMS.loser),
    winner_rise: mean(SUMS.winnerRise),
    loser_rise: mean(SUMS.loserRise),
  };
}

/** @throws DataFormatError for pictures of two shapes: they cannot have the same noise. */
export async function cellsOfPair({ folder, latents }: TokenPairs, index: number): Promise<number> {
  const [winner, loser] = await latents.gridsOf(index);
  if (winner === undefined || loser === undefined || gridText(winner) !== gridText(loser)) {
    throw new DataFormatError("winner and loser have other shapes", {
      ...whereOf(folder, index),
      remedy: "crop them alike, or set aspectBuckets to false",
    });
  }
  return cellsOf(winner);
}

export async function loadPairs(
  { folder, latents }: TokenPairs,
  pairs: readonly number[],
): Promise<TokenPair[]> {
  const places = pairs.flatMap((sample) => [0, 1].map((image) => ({ sample, image })));
  const loaded = await latents.load(places);
  return pairs.map((pair, index) => {
    const winner = loaded[2 * index];
    const loser = loaded[2 * index + 1];
    const own = folder.pairs[pair];
    if (winner === undefined || loser === undefined || own === undefined) {
      throw new DataFormatError("has no pictures", whereOf(folder, pair));
    }
    return { prompt: own.prompt, grid: winner.grid, winner: winner.tokens, loser: loser.tokens };
  });
}

function whereOf({ pairs }: TokenPairs["folder"], index: number): { readonly where: string } {
  return { where: pairs[index]?.where ?? `pair ${index}` };
}
