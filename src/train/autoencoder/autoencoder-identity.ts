/** @file What a run of autoencoder training must not change when it is continued, and what it may. */
import { availableParallelism } from "node:os";
import { type JsonValue, plainJson } from "../plain-json.ts";
import type { AutoencoderTrainConfig } from "./autoencoder-train-config.ts";

/** Everything that decides the weights; periods and paths do not. */
export function identityOf(config: AutoencoderTrainConfig, data: string, hasFeatureNet: boolean): JsonValue {
  const { resolution, seed, autoencoder, noise, phases } = config;
  const { learningRate: _rate, ...optimizer } = config.optimizer;
  const { accumulate, maxGradientNorm, schedule, ema } = config.loop;
  const loop = { accumulate, maxGradientNorm, schedule, ema };
  const { train, permuteChannels, muon } = config;
  const perceptual = hasFeatureNet ? config.loss.perceptual!.weight : 0;
  const options = {
    train,
    permuteChannels,
    muon: muon === null ? null : plainJson({ ...muon, learningRate: undefined }),
    loss: { chroma: config.loss.chroma, perceptual },
    hasStart: config.start !== null,
    hasLatents: config.latents !== null,
  };
  const base = { resolution, seed, autoencoder, noise, phases, optimizer, loop };
  return { stage: "autoencoder", data, ...base, ...options };
}

/** What may be changed when a run is continued. Another number of threads rounds differently. */
export function adjustableOf({ optimizer, muon, engine }: AutoencoderTrainConfig): JsonValue {
  return {
    learningRate: optimizer.learningRate,
    muonLearningRate: muon?.learningRate ?? null,
    threads: engine.threads ?? availableParallelism(),
  };
}
