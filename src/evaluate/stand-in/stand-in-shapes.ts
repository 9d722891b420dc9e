/** @file Configurations of stand-ins: the published one, and a small one with the same keys (docs/nextstep-spec.md 1). */

export const STAND_IN_SHAPES = ["14b", "tiny"] as const;
export type StandInShape = (typeof STAND_IN_SHAPES)[number];

interface Sizes {
  readonly hidden: number;
  readonly intermediate: number;
  readonly heads: number;
  readonly kvHeads: number;
  readonly headDim: number;
  readonly layers: number;
  readonly headWidth: number;
  readonly headLayers: number;
  /** Latent pixels on a side of the training picture. */
  readonly latentSize: number;
  /** Rows of the embedding table. */
  readonly vocabulary: number;
  /** Ids of plain text; the special tokens follow. */
  readonly textIds: number;
  /** Channels of the autoencoder. */
  readonly channels: number;
  readonly blocks: number;
}

const SIZES: Readonly<Record<StandInShape, Sizes>> = {
  "14b": {
    hidden: 5120,
    intermediate: 13_824,
    heads: 40,
    kvHeads: 8,
    headDim: 128,
    layers: 48,
    headWidth: 1536,
    headLayers: 12,
    latentSize: 64,
    vocabulary: 152_064,
    textIds: 151_643,
    channels: 128,
    blocks: 2,
  },
  tiny: {
    hidden: 128,
    intermediate: 352,
    heads: 4,
    kvHeads: 2,
    headDim: 32,
    layers: 3,
    headWidth: 96,
    headLayers: 2,
    latentSize: 8,
    vocabulary: 1536,
    textIds: 1400,
    channels: 32,
    blocks: 1,
  },
};

/** Special tokens of Qwen2.5 in front of the image model's own. */
export const QWEN_SPECIAL_TOKENS = [
  "<|endoftext|>",
  "<|im_start|>",
  "<|im_end|>",
  "<|object_ref_start|>",
  "<|object_ref_end|>",
  "<|box_start|>",
  "<|box_end|>",
  "<|quad_start|>",
  "<|quad_end|>",
  "<|vision_start|>",
  "<|vision_end|>",
  "<|vision_pad|>",
  "<|image_pad|>",
  "<|video_pad|>",
  "<tool_call>",
  "</tool_call>",
  "<|fim_prefix|>",
  "<|fim_middle|>",
  "<|fim_suffix|>",
  "<|fim_pad|>",
  "<|repo_name|>",
  "<|file_sep|>",
] as const;

/** Ids of plain text in the tokenizer of a shape. */
export function textIdsOf(shape: StandInShape): number {
  return SIZES[shape].textIds;
}

/**
 * config.json of NextStep-1.1, at the sizes of a shape.
 * @param layers default: those of the shape.
 */
export function standInConfig(shape: StandInShape, layers?: number): Record<string, unknown> {
  const sizes = { ...SIZES[shape], ...(layers === undefined ? {} : { layers }) };
  const endOfText = sizes.textIds;
  const padding = endOfText + QWEN_SPECIAL_TOKENS.length;
  return {
    _attn_implementation_autoset: true,
    architectures: ["LlamaForCausalLM"],
    attention_bias: true,
    attention_dropout: 0,
    auto_map: { AutoConfig: "models/config.NextStepConfig", AutoModel: "models/nextstep_model.NextStep" },
    base_image_grid_size: sizes.latentSize,
    boi: padding + 2,
    bos_token_id: endOfText,
    create_kwargs: { snr_type: "lognorm" },
    eoi: padding + 3,
    eos_token_id: endOfText,
    genloss_batch_mul: 4,
    genloss_depth: sizes.headLayers,
    genloss_net_arch: "mlp",
    genloss_num_sampling_steps: "100",
    genloss_type: "transport",
    genloss_width: sizes.headWidth,
    head_dim: sizes.headDim,
    hidden_act: "silu",
    hidden_size: sizes.hidden,
    image_decoder_arch: "Trans_E",
    image_encoder_name: null,
    image_feature_layer: -2,
    image_loss_weight: 1,
    image_placeholder_id: padding + 4,
    image_size: sizes.latentSize,
    initializer_range: 0.02,
    intermediate_size: sizes.intermediate,
    lm_loss_weight: 0.01,
    max_position_embeddings: 131_072,
    max_window_layers: sizes.layers,
    mlp_bias: false,
    model_type: "nextstep",
    noise_strength: 0,
    num_attention_heads: sizes.heads,
    num_channels: 16,
    num_hidden_layers: sizes.layers,
    num_key_value_heads: sizes.kvHeads,
    o_attention_bias: false,
    pad_token_id_added: padding,
    patch_size: 2,
    pretraining_tp: 1,
    rms_norm_eps: 1e-5,
    rope_scaling: null,
    rope_theta: 1e6,
    sliding_window: null,
    tie_word_embeddings: false,
    torch_dtype: "bfloat16",
    use_cache: true,
    use_sliding_window: false,
    vae_name_or_path: "vae/",
    vocab_size: sizes.vocabulary,
  };
}

/** vae/config.json, f8ch16 as published. */
export function standInAutoencoderConfig(shape: StandInShape): Record<string, unknown> {
  const { channels, blocks } = SIZES[shape];
  return {
    resolution: 256,
    in_channels: 3,
    ch: channels,
    out_ch: 3,
    ch_mult: [1, 2, 4, 4],
    num_res_blocks: blocks,
    z_channels: 16,
    scaling_factor: 1,
    shift_factor: 0,
    deterministic: true,
    encoder_norm: true,
    psz: 2,
  };
}
