/** @file A model file of the published transformer's shape for llama.cpp: its architecture `qwen2`, with weights at random. */
import { open } from "node:fs/promises";
import { StandInNoise } from "../../src/evaluate/stand-in/stand-in-noise.ts";
import { writeAllAt } from "../../src/files/replacement-file.ts";
import type { NextStepConfig } from "../../src/model/config.ts";
import { BYTE_CHARACTERS } from "../../src/sequence/byte-alphabet.ts";
import { bytesOf } from "../../src/tensor/dtype.ts";
import { type BlockType, blockNoise } from "./block-noise.ts";
import { type GgufTensor, type GgufValue, layOutGguf } from "./gguf-layout.ts";

/** Embeddings are no part of a layer: single bytes, since the tokenizer that there must be needs those. */
export const VOCABULARY = BYTE_CHARACTERS.length;
const CONTEXT = 4096;
/** Elements of float tensors, which are all shorter: norms and biases. */
const PIECE = 1 << 20;

/** Writes `path`. All matrices have the type `type`; norms and biases are floats, as in every such file. */
export async function writeQwen2Gguf(path: string, config: NextStepConfig, type: BlockType): Promise<void> {
  const noise = new StandInNoise(0);
  const tensors = tensorsOf(config, type);
  const layout = layOutGguf(metadataOf(config), tensors);
  await using file = await open(path, "wx");
  await writeAllAt(file, layout.header, 0);
  await file.truncate(layout.byteLength);
  for (const [index, tensor] of tensors.entries()) {
    let position = layout.header.byteLength + layout.tensors[index]!.offset;
    for (const piece of piecesOf(noise, tensor)) {
      await writeAllAt(file, piece, position);
      position += piece.byteLength;
    }
  }
}

function metadataOf(config: NextStepConfig): ReadonlyMap<string, GgufValue> {
  const uint32 = (value: number) => ({ type: "uint32", value }) as const;
  const float32 = (value: number) => ({ type: "float32", value }) as const;
  const string = (value: string) => ({ type: "string", value }) as const;
  return new Map<string, GgufValue>([
    ["general.architecture", string("qwen2")],
    ["general.quantization_version", uint32(2)],
    ["qwen2.block_count", uint32(config.layers)],
    ["qwen2.context_length", uint32(CONTEXT)],
    ["qwen2.embedding_length", uint32(config.hiddenSize)],
    ["qwen2.feed_forward_length", uint32(config.intermediateSize)],
    ["qwen2.attention.head_count", uint32(config.heads)],
    ["qwen2.attention.head_count_kv", uint32(config.kvHeads)],
    ["qwen2.attention.layer_norm_rms_epsilon", float32(config.rmsNormEps)],
    ["qwen2.rope.freq_base", float32(config.ropeTheta)],
    ["qwen2.vocab_size", uint32(VOCABULARY)],
    ["tokenizer.ggml.model", string("gpt2")],
    ["tokenizer.ggml.pre", string("qwen2")],
    ["tokenizer.ggml.tokens", { type: "strings", value: BYTE_CHARACTERS }],
    ["tokenizer.ggml.merges", { type: "strings", value: [] }],
  ]);
}

function tensorsOf(config: NextStepConfig, type: BlockType): readonly GgufTensor[] {
  const { hiddenSize: hidden, intermediateSize: intermediate, layers } = config;
  const [queries, keys] = [config.heads * config.headDim, config.kvHeads * config.headDim];
  const matrix = (name: string, outputs: number, inputs: number): GgufTensor => ({
    name: `${name}.weight`,
    type,
    shape: [outputs, inputs],
  });
  const vector = (name: string, length: number): GgufTensor => ({ name, type: "F32", shape: [length] });
  const layer = (place: string): readonly GgufTensor[] => [
    vector(`${place}.attn_norm.weight`, hidden),
    matrix(`${place}.attn_q`, queries, hidden),
    vector(`${place}.attn_q.bias`, queries),
    matrix(`${place}.attn_k`, keys, hidden),
    vector(`${place}.attn_k.bias`, keys),
    matrix(`${place}.attn_v`, keys, hidden),
    vector(`${place}.attn_v.bias`, keys),
    matrix(`${place}.attn_output`, hidden, queries),
    vector(`${place}.ffn_norm.weight`, hidden),
    matrix(`${place}.ffn_gate`, intermediate, hidden),
    matrix(`${place}.ffn_up`, intermediate, hidden),
    matrix(`${place}.ffn_down`, hidden, intermediate),
  ];
  return [
    matrix("token_embd", VOCABULARY, hidden),
    ...Array.from({ length: layers }, (_, index) => layer(`blk.${index}`)).flat(),
    vector("output_norm.weight", hidden),
    matrix("output", VOCABULARY, hidden),
  ];
}

function* piecesOf(noise: StandInNoise, { name, type, shape }: GgufTensor): Generator<Uint8Array> {
  const [outputs = 1, inputs = 1] = shape;
  if (type === "F32") {
    for (const floats of noise.floats(name, "float32", shape, PIECE)) yield bytesOf(floats);
  } else yield* blockNoise(noise, name, type, [outputs, inputs]);
}
