/**
 * @file The vocabulary's table as generation reads it: row by row from where it is stored. A prompt needs some tens of
 * its rows and a picture none, where all of them would be 0.8 to 3.1 GB of the published model.
 */
import type { TensorSet } from "../checkpoint/tensor-set.ts";
import { InputError } from "../errors.ts";
import { EMBEDDING } from "../model/backbone.ts";
import type { NextStepConfig } from "../model/config.ts";
import type { TokenEmbedding } from "./token-feeds.ts";

/** Reads that are under way at once. */
const PARALLEL_READS = 32;

/**
 * Reads rows whenever they are asked for and keeps none: the system keeps the pages that are read again and again.
 * @throws InputError for an id that the table lacks; DataFormatError when its file was changed or cut short since it was
 * opened.
 */
export function storedEmbedding(
  { vocabSize, hiddenSize }: Pick<NextStepConfig, "vocabSize" | "hiddenSize">,
  tensors: Pick<TensorSet, "read" | "checkUnchanged">,
): TokenEmbedding {
  return async (ids) => {
    const embedded = new Float32Array(ids.length * hiddenSize);
    const places = new Map<number, number[]>();
    for (const [place, id] of ids.entries()) {
      if (!Number.isInteger(id) || id < 0 || id >= vocabSize) {
        throw new InputError(`id ${id} is not in the vocabulary of ${vocabSize}`, { where: "text tokens" });
      }
      const known = places.get(id);
      if (known === undefined) places.set(id, [place]);
      else known.push(place);
    }
    const unique = [...places];
    for (let done = 0; done < unique.length; done += PARALLEL_READS) {
      await Promise.all(
        unique.slice(done, done + PARALLEL_READS).map(async ([id, at]) => {
          const row = await tensors.read(`${EMBEDDING}.weight`, { first: id, count: 1 });
          for (const place of at) embedded.set(row, place * hiddenSize);
        }),
      );
    }
    if (ids.length > 0) await tensors.checkUnchanged("bytes");
    return embedded;
  };
}
