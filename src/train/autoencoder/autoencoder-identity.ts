/** @file What a run of autoencoder training must not change when it is continued, and what it may. */
import { availableParallelism } from "node:os";
import { digestFile } from "../loop/checkpoint-seal.ts";
import { type JsonValue, plainJson } from "../plain-json.ts";
import { digestAutoencoderWeights } from "./autoencoder-start-weights.ts";
import type { AutoencoderTrainConfig } from "./autoencoder-train-config.ts";

/** Digests by name of what the weights depend on beside the settings. */
export async function inputDigests(
  { start, latents, loss }: AutoencoderTrainConfig,
  { data, hasFeatureNet }: { readonly data: string; readonly hasFeatureNet: boolean },
): Promise<JsonValue> {
  return {
    data,
    start: start === null ? null : await digestAutoencoderWeights(start),
    latents: latents === null ? null : await digestFile(latents),
    featureNet: hasFeatureNet ? await digestFile(loss.perceptual!.file) : null,
  };
}

/** Everything that decides the weights; periods and paths do not. */
export function identityOf(config: AutoencoderTrainConfig, inputs: JsonValue): JsonValue {
  const { resolution, seed, autoencoder, noise, train, permuteChannels, muon, loss } = config;
  const { learningRate: _rate, ...optimizer } = config.optimizer;
  const { accumulate, maxGradientNorm, schedule, ema } = config.loop;
  return {
    stage: "autoencoder",
    inputs,
    ...{ resolution, seed, autoencoder, noise, optimizer, train, permuteChannels },
    loop: { accumulate, maxGradientNorm, schedule, ema },
    muon: muon === null ? null : plainJson({ ...muon, learningRate: undefined }),
    loss: { chroma: loss.chroma, perceptual: loss.perceptual?.weight ?? null },
  };
}

/**
 * What may be changed when a run is continued: of the phases, those that are not taken yet. Another number of threads
 * rounds differently.
 */
export function adjustableOf({ phases, optimizer, muon, engine }: AutoencoderTrainConfig): JsonValue {
  return {
    phases,
    learningRate: optimizer.learningRate,
    muonLearningRate: muon?.learningRate ?? null,
    threads: engine.threads ?? availableParallelism(),
  };
}
