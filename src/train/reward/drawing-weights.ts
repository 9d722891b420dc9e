/** @file Sessions of the drawing loop over weights that are being trained. */
import type { Adapter } from "../../checkpoint/adapter/adapter-folder.ts";
import type { ModelFolder } from "../../checkpoint/model-folder.ts";
import type { AdapterMix } from "../../generate/adapter-mix.ts";
import { ModelSessions } from "../../generate/model-sessions.ts";
import type { Engine } from "../../runtime/engine.ts";
import type { NamedBuffer } from "../optimizer/trainable.ts";
import { withTrained } from "./trained-tensors.ts";

/** What draws, and what stands beside its weights. */
export interface DrawingSessions {
  readonly sessions: ModelSessions;
  readonly adapters: AdapterMix | undefined;
}

export interface DrawingWeights {
  /** Draws with the given weights as they are now, for as long as `use` takes. */
  with<Result>(
    weights: readonly NamedBuffer[],
    use: (drawing: DrawingSessions) => Promise<Result>,
  ): Promise<Result>;
}

/**
 * An adapter beside a model: its matrices are tables that the sessions of the model take as inputs, so that an update costs
 * a write of them and no session is made anew.
 * @param asAdapter the adapter of given weights
 */
export function adapterWeights(
  engine: Engine,
  base: ModelFolder,
  asAdapter: (weights: readonly NamedBuffer[]) => Adapter,
  initial: readonly NamedBuffer[],
): DrawingWeights {
  const first = asAdapter(initial);
  const sessions = new ModelSessions(engine, base, undefined, new Map([[first.name, first]]));
  let turn = 0;
  return {
    async with(weights, use) {
      // The tables keep what they have seen by its key, and these weights change in place.
      turn++;
      const adapter = asAdapter(weights);
      return await use({
        sessions,
        adapters: { key: `${adapter.digest} ${turn}`, parts: [{ adapter, scale: 1 }] },
      });
    },
  };
}

/**
 * All weights of a model. They are bound anew for each drawing: packed, a product of one token is far faster than with
 * weights that are inputs, and its bits do not depend on what else is drawn; binding takes less than drawing a few tokens.
 * @param createEngine gives an engine of the drawing's own, with which the weights are let go of
 */
export function modelWeights(createEngine: () => Engine, base: ModelFolder): DrawingWeights {
  return {
    async with(weights, use) {
      await using engine = createEngine();
      const tensors = withTrained(base.tensors, weights);
      return await use({ sessions: new ModelSessions(engine, { ...base, tensors }), adapters: undefined });
    },
  };
}
