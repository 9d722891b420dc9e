/** @file The model's configuration: one canonical form for every published key set (docs/nextstep-spec.md 1.3). */
import { ConfigError, UnsupportedError } from "../errors.ts";
import { quoted } from "../formats/quoted.ts";
import { ConfigReader, MAX_CHANNELS, MAX_LAYERS } from "./config-reader.ts";

/** Sizes and settings of a NextStep model. Sizes count elements; ids are rows of the embedding table. */
export interface NextStepConfig {
  readonly hiddenSize: number;
  readonly intermediateSize: number;
  readonly layers: number;
  readonly heads: number;
  /** Key/value heads; divides `heads`. */
  readonly kvHeads: number;
  readonly headDim: number;
  readonly vocabSize: number;
  readonly rmsNormEps: number;
  readonly ropeTheta: number;
  readonly maxPositions: number;
  /** Query, key and value projections have biases. */
  readonly attentionBias: boolean;
  /** The output projection has a bias: true exactly when the checkpoint holds the tensor. */
  readonly outputBias: boolean;
  readonly tieWordEmbeddings: boolean;
  /** A linear layer `before_lm_head` stands before the LM head. */
  readonly mlpBeforeLmHead: boolean;
  readonly latentChannels: number;
  /** Latent pixels on a side of an image token. */
  readonly latentPatchSize: number;
  /** Latent pixels on a side of the training image. */
  readonly latentSize: number;
  readonly headWidth: number;
  readonly headLayers: number;
  readonly headMlpRatio: number;
  /** Noise times at which each image token is trained in one step. */
  readonly headBatchMultiplier: number;
  readonly lmLossWeight: number;
  readonly imageLossWeight: number;
  readonly tokenLengthWeight: boolean;
  readonly noiseStrength: number;
  /** Add the generation position embedding to the condition (docs/nextstep-spec.md 2.5). */
  readonly generationPositions: boolean;
  /** Token columns of the square training picture. */
  readonly baseGridSize: number;
  readonly boi: number;
  readonly eoi: number;
  readonly placeholder: number;
  readonly pad: number | undefined;
  readonly bos: number | undefined;
  readonly eos: number | undefined;
  /** Folder of the autoencoder relative to the model's, or undefined. */
  readonly autoencoderPath: string | undefined;
}

/** The two published key sets; their classes also differ in the defaults of the autoencoder. */
export type Release = "v1" | "v1.1";

/**
 * Of which release a config.json is. The first names its sizes `latent_*`; 1.1 and the trainer `image_size`,
 * `patch_size` and `num_channels`, whatever else they hold.
 */
export function publishedRelease(json: unknown): Release {
  if (typeof json !== "object" || json === null) return "v1.1";
  const has = (...keys: readonly string[]): boolean => keys.some((key) => Object.hasOwn(json, key));
  if (has("image_size", "patch_size", "num_channels", "image_loss_weight")) return "v1.1";
  return has("latent_size", "latent_patch_size", "latent_channels", "use_gen_pos_embed") ? "v1" : "v1.1";
}

/** Largest side of a patch, as of the autoencoder's. */
const MAX_PATCH = 64;

/** Keys of which the trainer writes at least one, and nobody else. */
const TRAINER_KEYS = [
  "fm_head_mlp_ratio",
  "hw_aspect_ratios_ids",
  "use_mlp_before_lm_head",
  "use_token_length_weight",
] as const;

/** Numbers in an image token: channels x patch x patch, 64 as published. */
export function tokenWidth(config: Pick<NextStepConfig, "latentChannels" | "latentPatchSize">): number {
  return config.latentChannels * config.latentPatchSize ** 2;
}

/** Keys of published files that do not change the arithmetic (docs/nextstep-spec.md 1.3). */
const KEYS_WITHOUT_EFFECT = [
  "_attn_implementation_autoset",
  "_name_or_path",
  "architectures",
  "attention_dropout",
  "attention_use_qk_norm",
  "auto_map",
  "create_kwargs",
  "dtype",
  "genloss_net_arch",
  "genloss_num_sampling_steps",
  "genloss_type",
  "hw_aspect_ratios_ids",
  "image_decoder_arch",
  "image_encoder_name",
  "image_feature_layer",
  "initializer_range",
  "max_window_layers",
  "model_type",
  "pretraining_tp",
  "sliding_window",
  "torch_dtype",
  "transformers_version",
  "use_cache",
] as const;

export interface ParsedConfig<Config> {
  readonly config: Config;
  /** Keys that nothing here knows, sorted. */
  readonly unknownKeys: readonly string[];
}

/**
 * Reads a config.json of any published layout: v1 (`latent_*`, `fm_head_*`), 1.1 (`image_size`, `genloss_*`), the
 * trainer's, or plain Qwen2.5 (image sizes then have their defaults).
 * @param where file name for error messages.
 * @throws ConfigError naming the key, UnsupportedError for architectures other than the published one.
 */
export function parseNextStepConfig(json: unknown, where = "config.json"): ParsedConfig<NextStepConfig> {
  const reader = new ConfigReader(json, where);
  reader.ignore(...KEYS_WITHOUT_EFFECT);
  refuseOtherArchitectures(reader, where);
  const hiddenSize = reader.size(["hidden_size"]);
  const heads = reader.size(["num_attention_heads"]);
  // The trainer's class has defaults of its own.
  const fromTrainer = TRAINER_KEYS.some((key) => reader.has(key));
  const latentPatchSize = reader.size(["latent_patch_size", "patch_size"], fromTrainer ? 1 : 2, MAX_PATCH);
  const latentSize = reader.size(["latent_size", "image_size"], 32);
  const config: NextStepConfig = {
    hiddenSize,
    intermediateSize: reader.size(["intermediate_size"]),
    layers: reader.size(["num_hidden_layers"], undefined, MAX_LAYERS),
    heads,
    kvHeads: reader.size(["num_key_value_heads"], heads),
    headDim: reader.size(["head_dim"], Math.floor(hiddenSize / heads)),
    vocabSize: reader.size(["vocab_size"]),
    rmsNormEps: reader.number(["rms_norm_eps"], 1e-6),
    ropeTheta: reader.number(["rope_theta"], 10_000),
    maxPositions: reader.size(["max_position_embeddings"], 32_768),
    attentionBias: reader.flag(["attention_bias"], true),
    outputBias: reader.flag(["o_attention_bias"], false),
    tieWordEmbeddings: reader.flag(["tie_word_embeddings"], false),
    mlpBeforeLmHead: reader.flag(["use_mlp_before_lm_head"], false),
    latentChannels: reader.size(["latent_channels", "num_channels"], 16, MAX_CHANNELS),
    latentPatchSize,
    latentSize,
    headWidth: reader.size(["fm_head_dim", "genloss_width"], 1536, MAX_CHANNELS),
    headLayers: reader.size(["fm_head_layers", "genloss_depth"], 12, MAX_LAYERS),
    headMlpRatio: reader.number(["fm_head_mlp_ratio"], 1),
    headBatchMultiplier: reader.size(["fm_head_batch_mul", "genloss_batch_mul"], 4),
    lmLossWeight: reader.number(["lm_loss_weight"], fromTrainer ? 1 : 0.01),
    imageLossWeight: reader.number(["im_loss_weight", "image_loss_weight"], 1),
    tokenLengthWeight: reader.flag(["use_token_length_weight"], false),
    noiseStrength: reader.number(["noise_strength"], 0),
    generationPositions: reader.flag(["use_gen_pos_embed"], false),
    baseGridSize: reader.size(
      ["base_image_grid_size"],
      Math.max(1, Math.floor(latentSize / latentPatchSize)),
    ),
    boi: reader.id("boi", 151_667) as number,
    eoi: reader.id("eoi", 151_668) as number,
    placeholder: reader.id("image_placeholder_id", 151_669) as number,
    pad: reader.id("pad_token_id_added") ?? reader.id("pad_token_id"),
    bos: reader.id("bos_token_id"),
    eos: reader.id("eos_token_id"),
    autoencoderPath: reader.text("vae_name_or_path"),
  };
  if (config.heads % config.kvHeads !== 0) {
    throw new ConfigError(`${config.heads} heads do not share ${config.kvHeads} key/value heads evenly`, {
      where: `${where}: num_key_value_heads`,
    });
  }
  if (!(Math.floor(config.headWidth * config.headMlpRatio) >= 1)) {
    throw new ConfigError(`${config.headMlpRatio} leaves the image head's MLP no width`, {
      where: `${where}: fm_head_mlp_ratio`,
    });
  }
  if (!(config.ropeTheta > 0)) throw new ConfigError("must be above 0", { where: `${where}: rope_theta` });
  if (config.headDim % 2 !== 0)
    throw new ConfigError("must be even for rotary positions", { where: `${where}: head_dim` });
  return { config, unknownKeys: reader.unknownKeys() };
}

function refuseOtherArchitectures(reader: ConfigReader, where: string): void {
  const activation = reader.text("hidden_act") ?? "silu";
  if (activation !== "silu") {
    throw new UnsupportedError(`activation ${quoted(activation)}`, {
      where: `${where}: hidden_act`,
      remedy: "only silu is known",
    });
  }
  if (reader.flag(["use_sliding_window"], false)) {
    throw new UnsupportedError("sliding-window attention", { where: `${where}: use_sliding_window` });
  }
  if (reader.flag(["mlp_bias"], false))
    throw new UnsupportedError("biases in the MLP", { where: `${where}: mlp_bias` });
  const scaling = reader.record("rope_scaling");
  const kind = scaling?.rope_type ?? scaling?.type ?? "default";
  if (kind !== "default") {
    throw new UnsupportedError(
      `rope scaling ${typeof kind === "string" ? quoted(kind) : "of no known kind"}`,
      { where: `${where}: rope_scaling` },
    );
  }
  const layerTypes = reader.list("layer_types") ?? [];
  if (layerTypes.some((type) => type !== "full_attention")) {
    throw new UnsupportedError("layers other than full_attention", { where: `${where}: layer_types` });
  }
}

/** The config.json that the published trainer writes, with which every published loader works. */
export function toConfigJson(config: NextStepConfig): Record<string, unknown> {
  return {
    architectures: ["LlamaForCausalLM"],
    attention_bias: config.attentionBias,
    attention_dropout: 0,
    base_image_grid_size: config.baseGridSize,
    boi: config.boi,
    bos_token_id: config.bos ?? null,
    eoi: config.eoi,
    eos_token_id: config.eos ?? null,
    fm_head_batch_mul: config.headBatchMultiplier,
    fm_head_dim: config.headWidth,
    fm_head_layers: config.headLayers,
    fm_head_mlp_ratio: config.headMlpRatio,
    head_dim: config.headDim,
    hidden_act: "silu",
    hidden_size: config.hiddenSize,
    image_loss_weight: config.imageLossWeight,
    image_placeholder_id: config.placeholder,
    image_size: config.latentSize,
    initializer_range: 0.02,
    intermediate_size: config.intermediateSize,
    latent_channels: config.latentChannels,
    latent_patch_size: config.latentPatchSize,
    latent_size: config.latentSize,
    lm_loss_weight: config.lmLossWeight,
    max_position_embeddings: config.maxPositions,
    mlp_bias: false,
    model_type: "nextstep",
    noise_strength: config.noiseStrength,
    num_attention_heads: config.heads,
    num_channels: config.latentChannels,
    num_hidden_layers: config.layers,
    num_key_value_heads: config.kvHeads,
    o_attention_bias: config.outputBias,
    pad_token_id_added: config.pad ?? null,
    patch_size: config.latentPatchSize,
    rms_norm_eps: config.rmsNormEps,
    rope_scaling: null,
    rope_theta: config.ropeTheta,
    sliding_window: null,
    tie_word_embeddings: config.tieWordEmbeddings,
    use_cache: true,
    use_gen_pos_embed: config.generationPositions,
    use_mlp_before_lm_head: config.mlpBeforeLmHead,
    use_sliding_window: false,
    use_token_length_weight: config.tokenLengthWeight,
    vae_name_or_path: config.autoencoderPath ?? null,
    vocab_size: config.vocabSize,
  };
}
