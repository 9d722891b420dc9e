import { describe, expect, it } from "vitest";
import { StandInNoise } from "../../src/evaluate/stand-in/stand-in-noise.ts";
import { float16ToFloat32 } from "../../src/tensor/half.ts";
import { type BlockType, blockNoise } from "./block-noise.ts";

/** Weights of a block of Q4_0 (`dequantize_row_q4_0` of ggml). */
function weightsOfQ40(block: Uint8Array): readonly number[] {
  const [scale] = halves(block, 1) as [number];
  const packed = [...block.subarray(2)];
  return [...packed.map((byte) => byte & 15), ...packed.map((byte) => byte >> 4)].map((q) => scale * (q - 8));
}

/** Weights of a block of Q4_K (`dequantize_row_q4_K`, `get_scale_min_k4`). */
function weightsOfQ4K(block: Uint8Array): readonly number[] {
  const [scale, minimum] = halves(block, 2) as [number, number];
  const six = block.subarray(4, 16);
  const at = (index: number): number => six[index] as number;
  const weights: number[] = [];
  for (let part = 0; part < 8; part++) {
    const low = part < 4;
    const s = low ? at(part) & 63 : (at(part + 4) & 15) | ((at(part - 4) >> 6) << 4);
    const m = low ? at(part + 4) & 63 : (at(part + 4) >> 4) | ((at(part) >> 6) << 4);
    const packed = block.subarray(16 + 32 * (part >> 1), 48 + 32 * (part >> 1));
    for (const byte of packed)
      weights.push(scale * s * (part % 2 === 0 ? byte & 15 : byte >> 4) - minimum * m);
  }
  return weights;
}

function halves(block: Uint8Array, count: number): readonly number[] {
  const bits = Uint16Array.from({ length: count }, (_, i) => block[2 * i]! + 256 * block[2 * i + 1]!);
  return [...float16ToFloat32(bits)];
}

describe("blockNoise", () => {
  it.each([
    ["Q4_0", 18, weightsOfQ40],
    ["Q4_K", 144, weightsOfQ4K],
  ] as const)("makes weights of %s with mean 0 and unit gain", (type: BlockType, bytes, weightsOf) => {
    const [outputs, inputs] = [64, 4096];
    const weights: number[] = [];
    for (const piece of blockNoise(new StandInNoise(0), "blk.0.attn_q.weight", type, [outputs, inputs])) {
      for (let at = 0; at < piece.byteLength; at += bytes)
        weights.push(...weightsOf(piece.subarray(at, at + bytes)));
    }
    expect(weights).toHaveLength(outputs * inputs);
    const mean = weights.reduce((sum, weight) => sum + weight, 0) / weights.length;
    const square = weights.reduce((sum, weight) => sum + weight ** 2, 0) / weights.length;
    const deviation = 1 / Math.sqrt(inputs);
    // Q4_0 has one step more below 0 than above: half a step of 1 in 4.61.
    expect(Math.abs(mean)).toBeLessThan(0.12 * deviation);
    expect(Math.sqrt(square) / deviation).toBeGreaterThan(0.95);
    expect(Math.sqrt(square) / deviation).toBeLessThan(1.05);
  });
});
