/** @file What each position of a training row may attend to (docs/nextstep-spec.md 4.2). */
import type { HostTensor } from "../../runtime/engine.ts";
import type { Sight } from "./staggered-rows.ts";

/** Added to the score of a key that is not visible: its weight becomes exactly 0 in float32. */
const HIDDEN = -3.4028234663852886e38;

/** A mask whose visible keys are changed in place: between batches of one shape only few of them change. */
class RowMasks {
  readonly mask: HostTensor & { readonly data: Float32Array };
  readonly #rows: number;
  readonly #tokens: number;
  /** [rows * tokens]: the first key that a position sees; all up to itself follow. */
  readonly #firsts: Int32Array;
  /** Positions that see other keys than these. */
  #odd: number[] = [];

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
    for (const at of this.#odd) {
      this.#showAlone(at);
      firsts[at] = at % tokens;
    }
    this.#odd = [];
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

  /** Shows some positions what they see instead, until the next samples are shown. */
  change(sights: readonly Sight[]): void {
    const [tokens, firsts] = [this.#tokens, this.#firsts];
    for (const { row, column, like, from, sees } of sights) {
      const at = row * tokens + column;
      const first = firsts[row * tokens + like]!;
      this.#showAlone(at);
      this.mask.data.fill(0, at * tokens + first, at * tokens + from);
      for (let key = Math.max(first, from); key < like; key++) {
        if (sees(key)) this.mask.data[at * tokens + key] = 0;
      }
      this.#odd.push(at);
    }
  }

  /** Shows a position itself, and hides all others. */
  #showAlone(at: number): void {
    const [tokens, { data }] = [this.#tokens, this.mask];
    data.fill(HIDDEN, at * tokens, (at + 1) * tokens);
    data[at * tokens + (at % tokens)] = 0;
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
    return this.#perRow(samples, rows, tokens).mask;
  }

  /**
   * Earlier positions of the same sample, and oneself, but for those whose sight is another one. [rows, 1, tokens, tokens]
   * @param samples as `isolated` takes them, all the same where a row is one sample.
   */
  staggered(samples: Int32Array, sights: readonly Sight[], rows: number, tokens: number): HostTensor {
    const masks = this.#perRow(samples, rows, tokens);
    masks.change(sights);
    return masks.mask;
  }

  #perRow(samples: Int32Array, rows: number, tokens: number): RowMasks {
    if (this.#isolated?.has(rows, tokens) !== true) this.#isolated = new RowMasks(rows, tokens);
    this.#isolated.show(samples);
    return this.#isolated;
  }
}
