/** @file What each position of a training row may attend to (docs/nextstep-spec.md 4.2). */
import type { HostTensor } from "../../runtime/engine.ts";

/** Added to the score of a key that is not visible: its weight becomes exactly 0 in float32. */
const HIDDEN = -3.4028234663852886e38;

/** A mask whose visible keys are changed in place: between batches of one shape only few of them change. */
class RowMasks {
  readonly mask: HostTensor & { readonly data: Float32Array };
  readonly #rows: number;
  readonly #tokens: number;
  /** [rows * tokens]: the first key that a position sees; all up to itself follow. */
  readonly #firsts: Int32Array;

  constructor(rows: number, tokens: number) {
    this.#rows = rows;
    this.#tokens = tokens;
    this.#firsts = Int32Array.from({ length: rows * tokens }, (_, at) => (at % tokens) + 1);
    const data = new Float32Array(rows * tokens * tokens).fill(HIDDEN);
    this.mask = { dtype: "float32", shape: [rows, 1, tokens, tokens], data };
  }

  has(rows: number, tokens: number): boolean {
    return this.#rows === rows && this.#tokens === tokens;
  }

  /** Shows a position the earlier ones of its sample. */
  show(samples: Int32Array): void {
    const [tokens, firsts] = [this.#tokens, this.#firsts];
    for (let at = 0, first = 0; at < firsts.length; at++) {
      const query = at % tokens;
      if (query === 0) first = 0;
      else if (samples[at] !== samples[at - 1]) first = query;
      const before = firsts[at]!;
      if (first === before) continue;
      const [from, to] = first < before ? [first, before] : [before, first];
      this.mask.data.fill(first < before ? 0 : HIDDEN, at * tokens + from, at * tokens + to);
      firsts[at] = first;
    }
  }
}

/**
 * The masks of batches one after the other, kept for those of the same shape: rows of packed training all have one
 * length. A mask is good until the next one is asked for.
 */
export class AttentionMasks {
  #causal: RowMasks | undefined;
  #isolated: RowMasks | undefined;

  /** Earlier positions and oneself, the same for all rows. [1, 1, tokens, tokens] */
  causal(tokens: number): HostTensor {
    if (this.#causal?.has(1, tokens) !== true) {
      this.#causal = new RowMasks(1, tokens);
      this.#causal.show(new Int32Array(tokens));
    }
    return this.#causal.mask;
  }

  /**
   * Earlier positions of the same sample, and oneself. [rows, 1, tokens, tokens]
   * @param samples [rows * tokens]: which sample of its row a position belongs to, ascending along the row.
   */
  isolated(samples: Int32Array, rows: number, tokens: number): HostTensor {
    if (this.#isolated?.has(rows, tokens) !== true) this.#isolated = new RowMasks(rows, tokens);
    this.#isolated.show(samples);
    return this.#isolated.mask;
  }
}
