/** @file What autoencoder training is set up from: configuration, first weights, optimizer, feature net. */
import { stat } from "node:fs/promises";
import { readFeatureNet } from "../../checkpoint/feature-net-file.ts";
import { ConfigError } from "../../errors.ts";
import { FileSource } from "../../files/file-source.ts";
import {
  type AutoencoderConfig,
  parseAutoencoderConfig,
  pixelsPerLatent,
} from "../../model/autoencoder-config.ts";
import { LITE0 } from "../../model/feature-net.ts";
import { autoencoderParameters } from "../../model/parameter-list.ts";
import type { Engine } from "../../runtime/engine.ts";
import type { Optimizer } from "../optimizer/optimizer.ts";
import type { NamedBuffer, Trainable } from "../optimizer/trainable.ts";
import { autoencoderOptimizer } from "./autoencoder-optimizer.ts";
import { initialAutoencoderWeights, readAutoencoderWeights } from "./autoencoder-start-weights.ts";
import type { AutoencoderTrainConfig } from "./autoencoder-train-config.ts";

/** What a run begins with. */
export interface AutoencoderWeights {
  readonly autoencoder: AutoencoderConfig;
  readonly trainables: readonly Trainable[];
  readonly frozen: readonly NamedBuffer[];
  readonly optimizer: Optimizer;
  readonly featureNet: readonly NamedBuffer[] | undefined;
}

function autoencoderConfig(config: AutoencoderTrainConfig): AutoencoderConfig {
  const parsed = parseAutoencoderConfig(config.autoencoder, "autoencoder");
  const [unknown] = parsed.unknownKeys;
  if (unknown !== undefined) throw new ConfigError(`unknown key "autoencoder.${unknown}"`);
  const grid = pixelsPerLatent(parsed.config) * (parsed.config.patchSize ?? 1);
  const sides: [string, number][] = [
    ["resolution", config.resolution],
    ...config.phases.map(({ crop }, index): [string, number] => [`phases.${index}.crop`, crop]),
  ];
  for (const [where, side] of sides) {
    if (side % grid !== 0 || side > config.resolution) {
      throw new ConfigError(`${side} is no multiple of ${grid} up to ${config.resolution}`, { where });
    }
  }
  return parsed.config;
}

/**
 * @throws ConfigError for settings that do not fit each other, and what reading the weights throws.
 */
export async function firstWeights(
  config: AutoencoderTrainConfig,
  engine: Engine,
): Promise<AutoencoderWeights> {
  const autoencoder = autoencoderConfig(config);
  const { start, seed, train } = config;
  if (start === null && train === "decoder") {
    throw new ConfigError("the decoder is trained alone on nothing", {
      where: "train",
      remedy: "name in start the autoencoder whose encoder stays",
    });
  }
  if (config.latents !== null && train === "all") {
    throw new ConfigError("latents are given, so that the encoder learns nothing", {
      where: "latents",
      remedy: 'set train to "decoder"',
    });
  }
  const all =
    start === null
      ? initialAutoencoderWeights(autoencoderParameters(autoencoder), seed)
      : await readAutoencoderWeights(start, autoencoder);
  const isTrained = ({ name }: NamedBuffer): boolean => train === "all" || name.startsWith("decoder.");
  const trainables = all.filter(isTrained);
  return {
    autoencoder,
    trainables,
    frozen: all.filter((weight) => !isTrained(weight)),
    optimizer: await autoencoderOptimizer(engine, config, trainables),
    featureNet: await openFeatureNet(config),
  };
}

/** The net of the perceptual loss; undefined where there is none to be had. */
async function openFeatureNet(config: AutoencoderTrainConfig): Promise<NamedBuffer[] | undefined> {
  const file = config.loss.perceptual?.file;
  if (file === undefined) return undefined;
  const exists = (await stat(file).catch(() => undefined))?.isFile() ?? false;
  return exists ? readFeatureNet(await FileSource.open(file), LITE0) : undefined;
}
