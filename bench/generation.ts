/** @file Benchmarks of generation: a whole token of the image head, a backbone step, the autoencoder. */

import { decoderGraph, encoderGraph } from "../src/generate/autoencoder-graphs.ts";
import { BRANCHES, imageHeadGraph } from "../src/generate/head-graphs.ts";
import { solverRuns } from "../src/generate/solver-runs.ts";
import { stepsAt } from "../src/generate/step-schedule.ts";
import { type AutoencoderConfig, pixelsPerLatent } from "../src/model/autoencoder-config.ts";
import { type NextStepConfig, tokenWidth } from "../src/model/config.ts";
import { TIME_FEATURES } from "../src/model/flow-head.ts";
import type { ChainLink, Engine, Feeds, HostTensor } from "../src/runtime/engine.ts";
import { openBackbonePass, type PassSizes } from "./backbone-pass.ts";
import type { BoundModel } from "./block-weights.ts";
import { type Measurement, measure, residentMemory } from "./measure.ts";
import { countingTensor, randomTensor, randomWeights } from "./random-feeds.ts";

export interface HeadSizes {
  readonly steps: number;
  /** Of a picture's last token, the number falling evenly from `steps`. */
  readonly lastSteps: number;
  readonly branches: number;
  readonly images: number;
  readonly runs: number;
}

/** Tokens that stand for those of a picture where they differ in their steps. */
const PICTURE_TOKENS = 16;

/** An image token, condition to token through the solver's runs: where steps fall, the mean over a picture. */
export async function benchHead(
  engine: Engine,
  config: NextStepConfig,
  sizes: HeadSizes,
  model?: BoundModel,
): Promise<Measurement> {
  const { steps, lastSteps, branches, images, runs } = sizes;
  const session = await engine.createSession(
    imageHeadGraph(config, model?.plan),
    model?.weights ?? randomWeights(1),
  );
  const rows = branches * images;
  const state = randomTensor([images, tokenWidth(config)]);
  const none = (width: number): HostTensor => randomTensor([0, width]);
  const first = { hidden: randomTensor([rows, config.hiddenSize]), kept: none(config.headWidth), state };
  const feedsOf = (count: number): Feeds => {
    const table = (value: number): HostTensor => ({
      dtype: "float32",
      shape: [count, images],
      data: new Float32Array(count * images).fill(value),
    });
    return {
      picture_of_row: countingTensor([rows], images),
      times: table(0.5),
      a: table(1),
      b: table(1 / steps),
      c: table(0.01),
      branch_rows: countingTensor([BRANCHES, images], rows),
      weights: randomTensor([BRANCHES, images]),
      noise: randomTensor([count, images, tokenWidth(config)]),
    };
  };
  const chainOf = (count: number): ChainLink[] =>
    solverRuns(new Array(images).fill({ steps: count, branches })).map(({ from, to }, run): ChainLink => {
      const feeds = feedsOf(to - from);
      if (run === 0) return { session, feeds: { ...feeds, ...first } };
      const takes = { kept: { link: 0, output: "condition" }, state: { link: run - 1, output: "next" } };
      return { session, feeds: { ...feeds, hidden: none(config.hiddenSize) }, takes };
    });
  const pieces = lastSteps === steps ? 1 : PICTURE_TOKENS;
  const tokens = Array.from({ length: pieces }, (_, token) =>
    stepsAt(steps, { lastSteps, schedule: "linear" }, token, pieces),
  );
  const chains = tokens.map(chainOf);
  const { headWidth: width, headLayers, hiddenSize } = config;
  const step =
    headLayers * (3 * width ** 2 + 2 * width ** 2) + 2 * width ** 2 + 2 * tokenWidth(config) * width;
  const once = hiddenSize ** 2 + hiddenSize * width;
  const mean = tokens.reduce((total, own) => total + own, 0) / pieces;
  const flops = 2 * (rows * (mean * step + once) + mean * (TIME_FEATURES * width + width ** 2));
  const described = { width, layers: headLayers, steps, lastSteps, branches, images };
  return measure("head", described, { runs, flops, pieces }, async () => {
    for (const chain of chains) await engine.runChain(chain);
  });
}

export interface BackboneSizes extends PassSizes {
  readonly runs: number;
}

/** New tokens behind cached ones through all layers. */
export async function benchBackbone(
  engine: Engine,
  config: NextStepConfig,
  sizes: BackboneSizes,
  model?: BoundModel,
): Promise<Measurement> {
  const { rows, tokens, past, runs, replay } = sizes;
  const { session, feeds, openSeconds } = await openBackbonePass(engine, config, sizes, model);
  const { hiddenSize: hidden, heads, kvHeads, headDim, intermediateSize, layers } = config;
  const matrices = hidden * headDim * (2 * heads + 2 * kvHeads) + 3 * hidden * intermediateSize;
  const attention = 2 * heads * headDim * (past + tokens);
  const flops = 2 * rows * tokens * (layers * (matrices + attention) + hidden * tokenWidth(config));
  const described = {
    hidden,
    intermediate: intermediateSize,
    heads,
    kvHeads,
    headDim,
    layers,
    rows,
    tokens,
    past,
    replay: replay ? 1 : 0,
  };
  const measured = await measure("backbone", described, { runs, flops }, () => session.run(feeds));
  return {
    ...measured,
    millisecondsPerLayer: Number((measured.milliseconds.median / layers).toPrecision(4)),
    openSeconds: Number(openSeconds.toPrecision(3)),
    memory: residentMemory(),
  };
}

export interface AutoencoderSizes {
  readonly direction: "encode" | "decode";
  readonly width: number;
  readonly height: number;
  readonly pictures: number;
  readonly runs: number;
}

/** Pictures to latents, or latents to pictures. */
export async function benchAutoencoder(
  engine: Engine,
  config: AutoencoderConfig,
  sizes: AutoencoderSizes,
): Promise<Measurement> {
  const { direction, width, height, pictures, runs } = sizes;
  const factor = pixelsPerLatent(config);
  const graph = direction === "decode" ? decoderGraph(config) : encoderGraph(config);
  const session = await engine.createSession(graph, randomWeights(3));
  const feeds: Record<string, HostTensor> =
    direction === "decode"
      ? { latents: randomTensor([pictures, config.latentChannels, height / factor, width / factor]) }
      : { pixels: randomTensor([pictures, config.inChannels, height, width]) };
  const described = { direction, width, height, pictures, channels: config.channels, blocks: config.blocks };
  return measure("vae", described, { runs }, () => session.run(feeds));
}
