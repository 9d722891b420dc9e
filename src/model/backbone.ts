/** @file The causal transformer, Qwen2 type (docs/nextstep-spec.md 2.1), and what stands at its two ends. */
import { add, mul, silu } from "../graph/operators/elementwise.ts";
import { placeAlong } from "../graph/operators/gather.ts";
import { ifElse } from "../graph/operators/if-else.ts";
import { concat, slice, transpose } from "../graph/operators/layout.ts";
import { matmul } from "../graph/operators/matmul.ts";
import { rmsNorm } from "../graph/operators/normalization.ts";
import { reshape } from "../graph/operators/reshape.ts";
import { rotary } from "../graph/operators/rotary.ts";
import { softmax } from "../graph/operators/softmax.ts";
import { recomputed } from "../graph/recompute.ts";
import { addSizes, type Dim, multiplySizes } from "../graph/size.ts";
import { shapeError, type Value } from "../graph/value.ts";
import { type NextStepConfig, tokenWidth } from "./config.ts";
import type { ParameterScope } from "./parameter-scope.ts";

export interface BackboneInputs {
  /** [rows, tokens, hidden] */
  readonly embeds: Value;
  /** int64 [rows, tokens], indices into the rotary tables. */
  readonly positions: Value;
  /** [positions, headDim / 2], see {@link rotaryTables}. */
  readonly cosines: Value;
  readonly sines: Value;
  /** Added to attention scores: 0 where visible, a large negative number where not. [rows or 1, 1, tokens, past + tokens]. */
  readonly mask: Value;
  /** Keys (rotated) and values of earlier tokens, one pair a layer, each [rows, kvHeads, past, headDim]. */
  readonly cache?: { readonly keys: readonly Value[]; readonly values: readonly Value[] };
  /** With a cache: reads tokens that were once read one by one, with the bits that they had then. */
  readonly replay?: Replay;
}

export interface BackboneOptions {
  /** For training: of each layer, only what went into it is held for the gradient, which computes the rest anew. Default false. */
  readonly gradientCheckpointing?: boolean;
}

export interface Replay {
  /**
   * bool []. Where true, `mask` holds in its first past + 1 columns what each token saw when it was read alone: the cache
   * and, last, itself. The other columns do not count.
   */
  readonly on: Value;
  /** int64 [rows, tokens]: where the tokens' keys and values stand in the cache, with room for all of them. */
  readonly places: Value;
}

export interface BackboneOutputs {
  /** After the final norm: the condition of the image head and the input of the LM head. [rows, tokens, hidden] */
  readonly hidden: Value;
  /** Keys and values of these tokens only, a layer each, [rows, kvHeads, tokens, headDim]. */
  readonly keys: readonly Value[];
  readonly values: readonly Value[];
}

/** All layers and the final norm. With a cache, the tokens continue it; without, they are the whole sequence. */
export function backbone(
  scope: ParameterScope,
  config: NextStepConfig,
  inputs: BackboneInputs,
  { gradientCheckpointing = false }: BackboneOptions = {},
): BackboneOutputs {
  const { hiddenSize, rmsNormEps, layers } = config;
  const keys: Value[] = [];
  const values: Value[] = [];
  let hidden = inputs.embeds;
  for (let layer = 0; layer < layers; layer++) {
    const build = (x: Value): LayerOutputs => transformerLayer(scope, config, layer, x, inputs);
    const outputs = build(hidden);
    keys.push(outputs.key);
    values.push(outputs.value);
    hidden = gradientCheckpointing ? recomputed(hidden, (x) => build(x).hidden) : outputs.hidden;
  }
  return { hidden: rmsNorm(hidden, scope.get("norm.weight", [hiddenSize]), rmsNormEps), keys, values };
}

interface LayerOutputs {
  /** [rows, tokens, hidden] */
  readonly hidden: Value;
  /** [rows, kvHeads, tokens, headDim] */
  readonly key: Value;
  readonly value: Value;
}

/** Attention and feed-forward, each added to what it reads. x [rows, tokens, hidden] */
function transformerLayer(
  scope: ParameterScope,
  config: NextStepConfig,
  layer: number,
  x: Value,
  inputs: BackboneInputs,
): LayerOutputs {
  const { hiddenSize, rmsNormEps } = config;
  const name = `layers.${layer}`;
  const norm1 = rmsNorm(x, scope.get(`${name}.input_layernorm.weight`, [hiddenSize]), rmsNormEps);
  const { output, key, value } = attention(scope, config, layer, norm1, inputs);
  const attended = add(x, output);
  const norm2 = rmsNorm(
    attended,
    scope.get(`${name}.post_attention_layernorm.weight`, [hiddenSize]),
    rmsNormEps,
  );
  return { hidden: add(attended, feedForward(scope, config, `${name}.mlp`, norm2)), key, value };
}

/** Down(SiLU(Gate(x)) * Up(x)). [rows, tokens, hidden] -> same. */
function feedForward(scope: ParameterScope, config: NextStepConfig, name: string, x: Value): Value {
  const { hiddenSize, intermediateSize } = config;
  const gate = scope.linear(`${name}.gate_proj`, x, intermediateSize, { bias: false });
  const up = scope.linear(`${name}.up_proj`, x, intermediateSize, { bias: false });
  return scope.linear(`${name}.down_proj`, mul(silu(gate), up), hiddenSize, { bias: false });
}

/**
 * Grouped-query attention. The query heads that share a key/value head stand side by side on the row axis of the
 * products, so that a single new token still multiplies several rows by each key: a product with one row takes
 * another path in the engine, which rounds differently.
 */
function attention(
  scope: ParameterScope,
  config: NextStepConfig,
  layer: number,
  x: Value,
  inputs: BackboneInputs,
): { output: Value; key: Value; value: Value } {
  const { heads, kvHeads, headDim, hiddenSize } = config;
  const name = `layers.${layer}.self_attn`;
  const [rows, tokens] = x.shape as [Dim, Dim, Dim];
  /** [rows, count, tokens, headDim] */
  const project = (part: string, count: number): Value => {
    const y = scope.linear(`${name}.${part}`, x, count * headDim, { bias: config.attentionBias });
    return transpose(reshape(y, [rows, tokens, count, headDim]), [0, 2, 1, 3]);
  };
  const rotate = (y: Value): Value => rotary(y, inputs.positions, inputs.cosines, inputs.sines);
  const query = rotate(project("q_proj", heads));
  const key = rotate(project("k_proj", kvHeads));
  const value = project("v_proj", kvHeads);
  const past = cacheOf(inputs, layer);
  const all: Attention = { config, query, key, value, past, mask: inputs.mask };
  const together = attendTogether(all); // [rows, kvHeads, group * tokens, headDim]
  const { replay } = inputs;
  const mixed =
    replay === undefined || past === undefined
      ? together
      : ifElse(replay.on, [query, key, value], attendAsAlone({ ...all, past }, replay.places), together);
  const joined = reshape(transpose(reshape(mixed, [rows, heads, tokens, headDim]), [0, 2, 1, 3]), [
    rows,
    tokens,
    heads * headDim,
  ]);
  const output = scope.linear(`${name}.o_proj`, joined, hiddenSize, { bias: config.outputBias });
  return { output, key, value };
}

interface Attention {
  readonly config: NextStepConfig;
  /** Rotated. [rows, heads, tokens, headDim] */
  readonly query: Value;
  /** Of the new tokens; keys rotated. [rows, kvHeads, tokens, headDim] */
  readonly key: Value;
  readonly value: Value;
  readonly past: { readonly key: Value; readonly value: Value } | undefined;
  readonly mask: Value;
}

/** New tokens beside the cache, in products over all of them. Returns [rows, kvHeads, group * tokens, headDim]. */
function attendTogether({ config, query, key, value, past, mask }: Attention): Value {
  const { heads, kvHeads, headDim } = config;
  const group = heads / kvHeads;
  const [rows, , tokens] = query.shape as [Dim, Dim, Dim, Dim];
  const groupedRows = multiplySizes(group, tokens);
  const grouped = reshape(query, [rows, kvHeads, groupedRows, headDim]);
  const alpha = 1 / Math.sqrt(headDim);
  const ownScores = matmul(grouped, key, { transB: true, alpha }); // [rows, kvHeads, group * tokens, tokens]
  const scores =
    past === undefined
      ? ownScores
      : concat([matmul(grouped, past.key, { transB: true, alpha }), ownScores], 3);
  const seen = scores.shape[3] as Dim;
  const masked = add(reshape(scores, [rows, kvHeads, group, tokens, seen]), reshape(mask, maskShape(mask)));
  const weights = reshape(softmax(masked), [rows, kvHeads, groupedRows, seen]);
  if (past === undefined) return matmul(weights, value);
  const length = past.key.shape[2] as Dim;
  const onPast = slice(weights, { axis: 3, start: 0, end: length });
  const onOwn = slice(weights, { axis: 3, start: length, end: addSizes(length, tokens) });
  return add(matmul(onPast, past.value), matmul(onOwn, value));
}

/**
 * The same for tokens that were once read one by one. How a sum is rounded depends on its length and on where its terms
 * stand, so each token gets the sums that it had then: over the whole cache, where the tokens before it stand in their
 * places, and itself behind it. What a product keeps apart, its rows, may be more than it was; but a product with one row
 * takes another path in the engine, so that where query heads share no keys each token keeps a product of its own.
 */
function attendAsAlone(
  { config, query, key, value, past, mask }: Attention & { readonly past: { key: Value; value: Value } },
  places: Value,
): Value {
  const { heads, kvHeads, headDim } = config;
  const group = heads / kvHeads;
  const [rows, , tokens] = query.shape as [Dim, Dim, Dim, Dim];
  const length = past.key.shape[2] as Dim;
  const seen = addSizes(length, 1);
  const alpha = 1 / Math.sqrt(headDim);
  const keys = placeAlong(past.key, key, places, 2); // [rows, kvHeads, past, headDim]
  const values = placeAlong(past.value, value, places, 2);
  const grouped = reshape(query, [rows, kvHeads, group, tokens, headDim]);
  const perToken = transpose(grouped, [0, 1, 3, 2, 4]); // [rows, kvHeads, tokens, group, headDim]
  // With one query head a token, [group * tokens] on the rows would be one row then and many now.
  const apart = group === 1;
  const [queries, sharedKeys, sharedValues] = apart
    ? [perToken, shared(keys), shared(values)]
    : [reshape(query, [rows, kvHeads, multiplySizes(group, tokens), headDim]), keys, values];
  const pastScores = matmul(queries, sharedKeys, { transB: true, alpha });
  const ownKeys = reshape(key, [rows, kvHeads, tokens, 1, headDim]);
  const ownScores = transpose(matmul(perToken, ownKeys, { transB: true, alpha }), [0, 1, 3, 2, 4]);
  const scores = concat([reshape(pastScores, [rows, kvHeads, group, tokens, length]), ownScores], 4);
  const ownMask = slice(mask, { axis: 3, start: 0, end: seen });
  const weights = softmax(add(scores, reshape(ownMask, maskShape(ownMask)))); // [rows, kvHeads, group, tokens, past + 1]
  const onPast = reshape(slice(weights, { axis: 4, start: 0, end: length }), [
    ...queries.shape.slice(0, -1),
    length,
  ]);
  const onOwn = slice(weights, { axis: 4, start: length, end: seen }); // [rows, kvHeads, group, tokens, 1]
  const mixed = reshape(matmul(onPast, sharedValues), [rows, kvHeads, group, tokens, headDim]);
  const own = mul(onOwn, reshape(value, [rows, kvHeads, 1, tokens, headDim]));
  return reshape(add(mixed, own), [rows, kvHeads, multiplySizes(group, tokens), headDim]);
}

/** [rows, kvHeads, past, headDim] -> [rows, kvHeads, 1, past, headDim], for every token. */
function shared(cache: Value): Value {
  const [rows, kvHeads, past, headDim] = cache.shape as [Dim, Dim, Dim, Dim];
  return reshape(cache, [rows, kvHeads, 1, past, headDim]);
}

/** [rows, 1, tokens, seen] -> [rows, 1, 1, tokens, seen] */
function maskShape(mask: Value): Dim[] {
  if (mask.shape.length !== 4)
    throw shapeError("attention", `mask [${mask.shape}] is not [rows, 1, tokens, seen]`);
  const [rows, one, tokens, seen] = mask.shape as [Dim, Dim, Dim, Dim];
  return [rows, one, 1, tokens, seen];
}

function cacheOf(inputs: BackboneInputs, layer: number): { key: Value; value: Value } | undefined {
  const key = inputs.cache?.keys[layer];
  const value = inputs.cache?.values[layer];
  return key === undefined || value === undefined ? undefined : { key, value };
}

/** Name of the vocabulary's table [vocabSize, hidden], `.weight` in the checkpoint. */
export const EMBEDDING = "embed_tokens";

/** ids int64 [...] -> [..., hidden] */
export function embedTokens(scope: ParameterScope, config: NextStepConfig, ids: Value): Value {
  return scope.embedding(EMBEDDING, ids, [config.vocabSize, config.hiddenSize]);
}

/** Logits over the vocabulary. hidden [..., D] -> [..., vocab] */
export function lmHead(scope: ParameterScope, config: NextStepConfig, hidden: Value): Value {
  const { hiddenSize, vocabSize } = config;
  const before = config.mlpBeforeLmHead
    ? scope.linear("before_lm_head", hidden, hiddenSize, { bias: true })
    : hidden;
  const name = config.tieWordEmbeddings ? EMBEDDING : "lm_head";
  return scope.linear(name, before, vocabSize, { bias: false });
}

/** Embeds image tokens. tokens [..., 64] -> [..., D] */
export function imageIn(scope: ParameterScope, config: NextStepConfig, tokens: Value): Value {
  if (tokens.shape.at(-1) !== tokenWidth(config)) {
    throw shapeError("imageIn", `[${tokens.shape}] are not image tokens of width ${tokenWidth(config)}`);
  }
  return scope.linear("image_in_projector", tokens, config.hiddenSize, { bias: true });
}

/** What the image head is told. hidden [..., D] -> [..., D] */
export function imageOut(scope: ParameterScope, config: NextStepConfig, hidden: Value): Value {
  return scope.linear("image_out_projector", hidden, config.hiddenSize, { bias: true });
}

/**
 * Cosines and sines of position * theta^(-2k/headDim), k = 0 .. headDim/2 - 1, each [count, headDim / 2], for
 * positions 0 .. count - 1. Angles are float32 products, as published.
 */
export function rotaryTables(
  config: Pick<NextStepConfig, "headDim" | "ropeTheta">,
  count: number,
): { cosines: Float32Array; sines: Float32Array } {
  const half = config.headDim / 2;
  const frequencies = Float32Array.from(
    { length: half },
    // Rounded to float32 where the published code rounds: at a position of some thousands it shows.
    (_, k) => 1 / Math.fround(config.ropeTheta ** Math.fround((2 * k) / config.headDim)),
  );
  const cosines = new Float32Array(count * half);
  const sines = new Float32Array(count * half);
  for (let position = 0; position < count; position++) {
    for (let k = 0; k < half; k++) {
      const angle = Math.fround(position * (frequencies[k] as number));
      cosines[position * half + k] = Math.cos(angle);
      sines[position * half + k] = Math.sin(angle);
    }
  }
  return { cosines, sines };
}
