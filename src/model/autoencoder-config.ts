/** @file Configuration of the image autoencoder, vae/config.json (docs/nextstep-spec.md 1.6). */
import { ConfigError } from "../errors.ts";
import type { ParsedConfig, Release } from "./config.ts";
import { ConfigReader, MAX_CHANNELS, MAX_LAYERS } from "./config-reader.ts";

export interface AutoencoderConfig {
  readonly resolution: number;
  readonly inChannels: number;
  readonly outChannels: number;
  /** Channels of the first level; level L has `channels * multipliers[L]`. */
  readonly channels: number;
  readonly multipliers: readonly number[];
  /** Residual blocks of an encoder level; a decoder level has one more. */
  readonly blocks: number;
  readonly latentChannels: number;
  /** Groups of every group normalisation: 32 as published. Key `num_groups`, which published files do not have. */
  readonly groups: number;
  readonly scalingFactor: number;
  readonly shiftFactor: number;
  /** The posterior is its mean. */
  readonly deterministic: boolean;
  /** Normalise the mean over channels and patches. */
  readonly encoderNorm: boolean;
  /** Side of the patches over which the mean is normalised; undefined: single latent pixels. */
  readonly patchSize: number | undefined;
  /**
   * Side of the blocks of pixels that are channels to the first layer and from the last: 1 as published. Key
   * `pixel_shuffle`, which published files do not have.
   */
  readonly pixelShuffle: number;
}

/** Pixels on a side of a latent pixel: every level but the last halves, blocks of pixels aside. */
export function pixelsPerLatent(config: Pick<AutoencoderConfig, "multipliers" | "pixelShuffle">): number {
  return 2 ** (config.multipliers.length - 1) * config.pixelShuffle;
}

/** Larger blocks would leave nothing of a picture to the layers. */
const MAX_PIXEL_SHUFFLE = 8;

/** What the two published classes take for missing keys: they differ (docs/nextstep-spec.md 1.6). */
const DEFAULTS = {
  v1: { scalingFactor: 0.3611, shiftFactor: 0.1159, deterministic: false, encoderNorm: false, patchSize: 0 },
  "v1.1": { scalingFactor: 1, shiftFactor: 0, deterministic: true, encoderNorm: true, patchSize: 1 },
} as const;

/**
 * Reads vae/config.json; unknown keys have no effect in the published code and are only listed.
 * @param release whose class reads the file: its defaults stand in for missing keys, and without a patch size
 * (`psz` null) the first release normalises single latent pixels, the later one nothing.
 * @throws ConfigError naming the key.
 */
export function parseAutoencoderConfig(
  json: unknown,
  where = "vae/config.json",
  release: Release = "v1.1",
): ParsedConfig<AutoencoderConfig> {
  const reader = new ConfigReader(json, where);
  reader.ignore("sample_size");
  const defaults = DEFAULTS[release];
  const patchSize = reader.isNull("psz") ? 0 : reader.number(["psz"], defaults.patchSize);
  reader.ignore("psz");
  const encoderNorm = reader.flag(["encoder_norm"], defaults.encoderNorm);
  const config: AutoencoderConfig = {
    resolution: reader.size(["resolution"], 256),
    inChannels: reader.size(["in_channels"], 3, MAX_CHANNELS),
    outChannels: reader.size(["out_ch"], 3, MAX_CHANNELS),
    channels: reader.size(["ch"], 128, MAX_CHANNELS),
    multipliers: reader.sizes("ch_mult", [1, 2, 4, 4]),
    blocks: reader.size(["num_res_blocks"], 2, MAX_LAYERS),
    latentChannels: reader.size(["z_channels"], 16, MAX_CHANNELS),
    groups: reader.size(["num_groups"], 32),
    scalingFactor: reader.number(["scaling_factor"], defaults.scalingFactor),
    shiftFactor: reader.number(["shift_factor"], defaults.shiftFactor),
    deterministic: reader.flag(["deterministic"], defaults.deterministic),
    encoderNorm: encoderNorm && (patchSize !== 0 || release === "v1"),
    patchSize: patchSize === 0 ? undefined : patchSize,
    pixelShuffle: reader.size(["pixel_shuffle"], 1, MAX_PIXEL_SHUFFLE),
  };
  if (!Number.isInteger(patchSize) || patchSize < 0 || patchSize > 64) {
    throw new ConfigError(`expects a whole number, got ${patchSize}`, { where: `${where}: psz` });
  }
  if (config.blocks * config.multipliers.length > MAX_LAYERS) {
    throw new ConfigError(
      `${config.blocks} blocks on each of ${config.multipliers.length} levels are more than ${MAX_LAYERS}`,
      { where: `${where}: num_res_blocks` },
    );
  }
  for (const multiplier of config.multipliers) {
    if ((config.channels * multiplier) % config.groups !== 0) {
      throw new ConfigError(
        `${config.channels} x ${multiplier} channels do not divide into ${config.groups} groups`,
        {
          where: `${where}: ch_mult`,
        },
      );
    }
  }
  if (config.scalingFactor === 0)
    throw new ConfigError("must not be 0", { where: `${where}: scaling_factor` });
  return { config, unknownKeys: reader.unknownKeys() };
}

/** The vae/config.json of a configuration; `num_groups` and `pixel_shuffle` only where they are not as published. */
export function toAutoencoderJson(config: AutoencoderConfig): Record<string, unknown> {
  return {
    resolution: config.resolution,
    in_channels: config.inChannels,
    ch: config.channels,
    out_ch: config.outChannels,
    ch_mult: config.multipliers,
    num_res_blocks: config.blocks,
    z_channels: config.latentChannels,
    scaling_factor: config.scalingFactor,
    shift_factor: config.shiftFactor,
    deterministic: config.deterministic,
    encoder_norm: config.encoderNorm,
    // Without a patch size the later class would not normalise at all.
    psz: config.patchSize ?? (config.encoderNorm ? 1 : null),
    ...(config.groups === 32 ? {} : { num_groups: config.groups }),
    ...(config.pixelShuffle === 1 ? {} : { pixel_shuffle: config.pixelShuffle }),
  };
}
