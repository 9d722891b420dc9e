/** @file What each position of a training row may attend to (docs/nextstep-spec.md 4.2). */
import type { HostTensor } from "../../runtime/engine.ts";

/** Added to the score of a key that is not visible: its weight becomes exactly 0 in float32. */
const HIDDEN = -3.4028234663852886e38;

/** Earlier positions and oneself, the same for all rows. [1, 1, tokens, tokens] */
export function causalMask(tokens: number): HostTensor {
  const data = new Float32Array(tokens * tokens);
  for (let query = 0; query < tokens; query++) {
    data.fill(HIDDEN, query * tokens + query + 1, (query + 1) * tokens);
  }
  return { dtype: "float32", shape: [1, 1, tokens, tokens], data };
}

/** Causal masks, the last one kept: rows of packed training all have one length. */
export class CausalMasks {
  #last: { readonly tokens: number; readonly mask: HostTensor } | undefined;

  of(tokens: number): HostTensor {
    if (this.#last?.tokens !== tokens) this.#last = { tokens, mask: causalMask(tokens) };
    return this.#last.mask;
  }
}

/**
 * Earlier positions of the same sample. [rows, 1, tokens, tokens]
 * @param samples [rows * tokens]: which sample of its row a position belongs to, ascending along the row.
 */
export function sampleMask(samples: Int32Array, rows: number, tokens: number): HostTensor {
  const data = new Float32Array(rows * tokens * tokens).fill(HIDDEN);
  for (let row = 0; row < rows; row++) {
    let first = 0;
    for (let query = 0; query < tokens; query++) {
      const at = row * tokens + query;
      if (query > 0 && samples[at] !== samples[at - 1]) first = query;
      data.fill(0, at * tokens + first, at * tokens + query + 1);
    }
  }
  return { dtype: "float32", shape: [rows, 1, tokens, tokens], data };
}
