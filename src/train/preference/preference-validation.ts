/** @file Figures of held-out pairs: the same times and noise at every validation, so that steps and runs compare. */
import type { NextStepConfig } from "../../model/config.ts";
import type { HostTensor } from "../../runtime/engine.ts";
import type { TextTokenizer } from "../../sequence/tokenizer.ts";
import { drawFlow } from "../objective/flow-draws.ts";
import type { NamedBuffer } from "../optimizer/trainable.ts";
import { randomFor } from "../step-random.ts";
import { pairFeeds } from "./pair-batch.ts";
import { type PreferenceSettings, SUMS } from "./preference-graph.ts";
import { cellsOfPair, loadPairs, meansOf, type Reference, type TokenPairs } from "./preference-objective.ts";

/** Pairs in a run. */
const BATCH = 8;

interface Batch {
  readonly feeds: Readonly<Record<string, HostTensor>>;
  /** [pairs, 2] */
  readonly reference: Float32Array;
}

export interface PreferenceValidationParts extends PreferenceSettings {
  readonly model: NextStepConfig;
  readonly tokenizer: TextTokenizer;
  readonly rowLag: number | null;
  readonly reference: Reference;
}

export class PreferenceValidation {
  readonly #batches: readonly Batch[];
  readonly #parts: PreferenceValidationParts;

  private constructor(batches: readonly Batch[], parts: PreferenceValidationParts) {
    this.#batches = batches;
    this.#parts = parts;
  }

  static async create(data: TokenPairs, parts: PreferenceValidationParts): Promise<PreferenceValidation> {
    const { model, tokenizer, rowLag, reference } = parts;
    const batches: Batch[] = [];
    for (let start = 0; start < data.folder.length; start += BATCH) {
      const numbers = Array.from(
        { length: Math.min(BATCH, data.folder.length - start) },
        (_, index) => start + index,
      );
      let cells = 0;
      for (const pair of numbers) cells += await cellsOfPair(data, pair);
      const draws = drawFlow(model, cells, randomFor(0, "preference validation", start));
      const feeds = pairFeeds({ model, tokenizer, rowLag }, await loadPairs(data, numbers), draws);
      const errors = await reference.session.run(feeds, reference.weights);
      batches.push({ feeds, reference: errors.data as Float32Array });
    }
    return new PreferenceValidation(batches, parts);
  }

  /** @returns `preference_loss`, and the figures of {@link meansOf}. */
  async run(weights: readonly NamedBuffer[]): Promise<Record<string, number>> {
    const { utility, beta, reference } = this.#parts;
    const sums = { loss: 0, ...Object.fromEntries(Object.values(SUMS).map((name) => [name, 0])) } as Record<
      string,
      number
    >;
    const count = (name: string, value: number): void => {
      sums[name] = (sums[name] ?? 0) + value;
    };
    let pairs = 0;
    for (const { feeds, reference: before } of this.#batches) {
      const errors = (await reference.session.run(feeds, weights)).data as Float32Array;
      for (let at = 0; at < errors.length; at += 2) {
        const [winner, loser] = [errors[at] as number, errors[at + 1] as number];
        const winnerRise = winner - (before[at] as number);
        const loserRise = loser - (before[at + 1] as number);
        const logit = (beta / 2) * (loserRise - winnerRise);
        count("loss", utility === "linear" ? -logit : negativeLogSigmoid(logit));
        count(SUMS.right, logit > 0 ? 1 : 0);
        count(SUMS.margin, logit);
        count(SUMS.winner, winner);
        count(SUMS.loser, loser);
        count(SUMS.winnerRise, winnerRise);
        count(SUMS.loserRise, loserRise);
        pairs++;
      }
    }
    return { preference_loss: (sums.loss ?? 0) / pairs, ...meansOf(sums, pairs) };
  }
}

/** log(1 + exp(-z)), of either sign without overflow. */
function negativeLogSigmoid(logit: number): number {
  return Math.max(0, -logit) + Math.log1p(Math.exp(-Math.abs(logit)));
}
