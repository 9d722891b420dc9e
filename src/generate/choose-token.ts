/** @file Chooses the next text token from logits: the best one, or one drawn by temperature, top-k and top-p. */
import { ConfigError } from "../errors.ts";

/** Takes the best token, always. */
export const DEFAULT_TEMPERATURE = 0;
/** Leaves no token out. */
export const DEFAULT_TOP_P = 1;

export interface TextSampling {
  /** 0 takes the best token; 1 draws by the model's own probabilities. Default 0. */
  readonly temperature?: number;
  /** Only the k best tokens can be drawn. Default: all. */
  readonly topK?: number;
  /** Only the best tokens that together reach this probability can be drawn. Default 1: all. */
  readonly topP?: number;
}

/** @throws ConfigError naming the setting and what it may be. */
export function checkTextSampling({
  temperature = DEFAULT_TEMPERATURE,
  topK,
  topP = DEFAULT_TOP_P,
}: TextSampling): void {
  if (!Number.isFinite(temperature) || temperature < 0) {
    throw new ConfigError(`${temperature} is not a temperature`, {
      where: "temperature",
      remedy: "use a number from 0 up",
    });
  }
  if (topK !== undefined && (!Number.isInteger(topK) || topK < 1)) {
    throw new ConfigError(`${topK} is not a number of tokens`, {
      where: "topK",
      remedy: "use a whole number from 1 up",
    });
  }
  if (!Number.isFinite(topP) || topP <= 0 || topP > 1) {
    throw new ConfigError(`${topP} is not a probability`, {
      where: "topP",
      remedy: "use a number above 0, up to 1",
    });
  }
}

/**
 * The id of the next token.
 * @param logits [vocabulary]; @param uniform a random number in [0, 1), used unless the temperature is 0.
 */
export function chooseToken(logits: Float32Array, sampling: TextSampling, uniform: number): number {
  const { temperature = DEFAULT_TEMPERATURE, topK = logits.length, topP = DEFAULT_TOP_P } = sampling;
  if (temperature === 0 || topK === 1) return best(logits);
  const order = Uint32Array.from(logits, (_, id) => id);
  // Best first, where some are left out; equal logits keep the order of their ids, so that the choice is the same
  // everywhere. Without limits the order does not matter, and sorting a large vocabulary takes long.
  if (topK < order.length || topP < 1) {
    order.sort((a, b) => (logits[b] as number) - (logits[a] as number) || a - b);
  }
  const kept = order.subarray(0, topK);
  const top = logits[best(logits)] as number;
  const weights = Float64Array.from(kept, (id) => Math.exp(((logits[id] as number) - top) / temperature));
  const total = weights.reduce((sum, weight) => sum + weight, 0);
  let reached = 0;
  let count = 0;
  while (count < weights.length && reached < topP * total) reached += weights[count++] as number;
  let rest = uniform * reached;
  for (let i = 0; i < count; i++) {
    rest -= weights[i] as number;
    if (rest < 0) return kept[i] as number;
  }
  return kept[count - 1] as number;
}

function best(logits: Float32Array): number {
  let winner = 0;
  for (let id = 1; id < logits.length; id++) {
    if ((logits[id] as number) > (logits[winner] as number)) winner = id;
  }
  return winner;
}
