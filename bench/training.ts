/** @file Benchmark of a training step of the model: forward, backward and update, as the trainer runs it. */

import { adaptableLinears, downName, trainedDelta, upName } from "../src/model/adapter.ts";
import type { NextStepConfig } from "../src/model/config.ts";
import { tokenWidth } from "../src/model/config.ts";
import { modelParameters } from "../src/model/parameter-list.ts";
import { ParameterScope } from "../src/model/parameter-scope.ts";
import type { Engine } from "../src/runtime/engine.ts";
import { IGNORED_LABEL } from "../src/sequence/segments.ts";
import { CounterRng } from "../src/tensor/counter-rng.ts";
import { drawFlow } from "../src/train/objective/flow-draws.ts";
import type { FrozenBase } from "../src/train/objective/frozen-base.ts";
import { GradientSession } from "../src/train/objective/gradient-session.ts";
import type { TokenRows } from "../src/train/objective/token-rows.ts";
import { predictionCount, trainingFeeds } from "../src/train/objective/training-feeds.ts";
import { trainingGraph } from "../src/train/objective/training-graph.ts";
import { adamW } from "../src/train/optimizer/adamw.ts";
import { trainable } from "../src/train/optimizer/trainable.ts";
import { type Measurement, measure, residentMemory } from "./measure.ts";
import { randomWeights } from "./random-feeds.ts";

export interface TrainingSizes {
  readonly batch: number;
  readonly textTokens: number;
  readonly imageTokens: number;
  /** Of an adapter beside all linears, which alone is trained; 0: all weights are. */
  readonly rank: number;
  readonly gradientCheckpointing: boolean;
  readonly runs: number;
}

function adapterBase(config: NextStepConfig, rank: number): FrozenBase {
  const shapes = adaptableLinears(modelParameters(config));
  const linears = shapes.map((shape) => ({ ...shape, rank, scale: 1 }));
  const trained = new Set(linears.flatMap(({ name }) => [downName(name), upName(name)]));
  return {
    scope: () => new ParameterScope(undefined, trainedDelta(linears)),
    isTrained: (name) => trained.has(name),
    weights: randomWeights(4),
  };
}

/** Rows of `textTokens` ids followed by one image. */
function rowsOf(config: NextStepConfig, { batch, textTokens, imageTokens }: TrainingSizes): TokenRows {
  const tokens = textTokens + imageTokens;
  const rng = new CounterRng(5);
  const ids = new Int32Array(batch * tokens).fill(config.placeholder);
  const labels = new Int32Array(batch * tokens).fill(IGNORED_LABEL);
  const images = Array.from({ length: batch }, (_, row) => {
    for (let column = 0; column < textTokens; column++) {
      ids[row * tokens + column] = 4 + ((row + column) % (config.vocabSize - 4));
      labels[row * tokens + column] = ids[row * tokens + column]!;
    }
    const clean = rng.fillNormal(new Float32Array(imageTokens * tokenWidth(config)));
    return { tokens: clean, read: clean, predicted: true };
  });
  return { rows: batch, tokens, ids, labels, images };
}

/** One step of AdamW training on random data. */
export async function benchTraining(
  engine: Engine,
  config: NextStepConfig,
  sizes: TrainingSizes,
): Promise<Measurement> {
  const rows = rowsOf(config, sizes);
  const { feeds, parts } = trainingFeeds(
    config,
    rows,
    drawFlow(config, predictionCount(config, rows), new CounterRng(6)),
  );
  const base = sizes.rank === 0 ? undefined : adapterBase(config, sizes.rank);
  const graph = trainingGraph(config, parts, base, sizes);
  const weights = randomWeights(4);
  const trainables = await Promise.all(
    graph.parameters.map(async ({ producer, shape }) => {
      if (producer.kind !== "parameter") throw new TypeError("a parameter was expected");
      const port = { name: producer.name, dtype: "float32" as const, shape };
      return trainable(producer.name, shape as readonly number[], weights(port));
    }),
  );
  const session = await GradientSession.create(engine, graph, trainables, base?.weights);
  const optimizer = adamW([{ parameters: trainables, learningRate: 1e-6, weightDecay: 0.1 }], {
    betas: [0.9, 0.95],
    epsilon: 1e-8,
  });
  let update = 0;
  const parameters = trainables.reduce((sum, { data }) => sum + data.length, 0);
  const described = {
    ...sizes,
    gradientCheckpointing: Number(sizes.gradientCheckpointing),
    parameters,
    hidden: config.hiddenSize,
    layers: config.layers,
  };
  const measured = await measure("train", described, { runs: sizes.runs }, async () => {
    await session.run(feeds, true);
    await optimizer.step({ update: ++update, rateFactor: 1, gradientFactor: 1 });
  });
  return { ...measured, memory: residentMemory() };
}
