/** @file Which of the pictures of a prompt are preferred to which, by their rewards. */
import type { CounterRng } from "../../tensor/counter-rng.ts";

/** Places among the pictures of a prompt. */
export interface ChosenPair {
  readonly winner: number;
  readonly loser: number;
}

/** Winners are among the best of this share, losers among the others (arXiv 2508.10711: 4 of 16). */
const TOP_SHARE = 0.25;

/**
 * Pairs at random, a winner of the best quarter and a loser of the others that has less; no pair twice.
 * @param apart by how much less the loser has, at least.
 * @param count how many are wanted; fewer come where there are no more.
 */
export function choosePairs(
  rewards: Float64Array,
  { count, apart = 0 }: { readonly count: number; readonly apart?: number },
  rng: CounterRng,
): ChosenPair[] {
  const places = Array.from(rewards, (_, place) => place).sort(
    (a, b) => (rewards[b] as number) - (rewards[a] as number) || a - b,
  );
  const top = Math.max(1, Math.floor(TOP_SHARE * rewards.length));
  const [best, others] = [places.slice(0, top), places.slice(top)];
  const all = best.flatMap((winner) =>
    others
      .filter((loser) => {
        const less = (rewards[winner] as number) - (rewards[loser] as number);
        return less > 0 && less >= apart;
      })
      .map((loser) => ({ winner, loser })),
  );
  return rng.shuffle(all).slice(0, count);
}
