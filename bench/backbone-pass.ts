/** @file A pass of new tokens behind cached ones through the layers of a transformer, ready to be run again and again. */
import { backboneGraph, cacheNames } from "../src/generate/backbone-graph.ts";
import { rotaryTables } from "../src/model/backbone.ts";
import { type NextStepConfig, tokenWidth } from "../src/model/config.ts";
import type { Engine, HostTensor, Session } from "../src/runtime/engine.ts";
import type { BoundModel } from "./block-weights.ts";
import { countingTensor, randomTensor, randomWeights } from "./random-feeds.ts";

export interface PassSizes {
  readonly rows: number;
  readonly tokens: number;
  readonly past: number;
  /** New tokens each at a place of the cache, as those of staggered rows are read. */
  readonly replay: boolean;
}

export interface BackbonePass {
  readonly session: Session;
  /** To create the session. */
  readonly openSeconds: number;
  readonly feeds: Readonly<Record<string, HostTensor>>;
}

/** @param model weights of its first `config.layers` layers; at random unless given. */
export async function openBackbonePass(
  engine: Engine,
  config: NextStepConfig,
  { rows, tokens, past, replay }: PassSizes,
  model?: BoundModel,
): Promise<BackbonePass> {
  const started = performance.now();
  const session = await engine.createSession(
    backboneGraph(config, model?.plan),
    model?.weights ?? randomWeights(2),
  );
  const openSeconds = (performance.now() - started) / 1000;
  const { cosines, sines } = rotaryTables(config, past + tokens);
  const rotary = [past + tokens, config.headDim / 2];
  const feeds: Record<string, HostTensor> = {
    text: randomTensor([rows, tokens, config.hiddenSize]),
    images: randomTensor([rows, tokens, tokenWidth(config)]),
    is_image: { dtype: "float32", shape: [rows, tokens, 1], data: new Float32Array(rows * tokens).fill(1) },
    positions: countingTensor([rows, tokens], tokens),
    cosines: { dtype: "float32", shape: rotary, data: cosines },
    sines: { dtype: "float32", shape: rotary, data: sines },
    mask: {
      dtype: "float32",
      shape: [rows, 1, tokens, past + tokens],
      data: new Float32Array(rows * tokens * (past + tokens)),
    },
    replay: { dtype: "bool", shape: [], data: Uint8Array.of(replay ? 1 : 0) },
    places: countingTensor([rows, tokens], past),
    picks: countingTensor([rows], rows * tokens),
  };
  for (let layer = 0; layer < config.layers; layer++) {
    const shape = [rows, config.kvHeads, past, config.headDim];
    feeds[cacheNames(layer).keys] = randomTensor(shape, 2 * layer + 1);
    feeds[cacheNames(layer).values] = randomTensor(shape, 2 * layer + 2);
  }
  return { session, feeds, openSeconds };
}
