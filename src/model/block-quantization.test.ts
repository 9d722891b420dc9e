import { describe, expect, it } from "vitest";
import { CounterRng } from "../tensor/counter-rng.ts";
import { quantizeBlocks } from "./block-quantization.ts";
import {
  type BlockFormat,
  packedShapes,
  packedWeightOf,
  scalesName,
  zeroPointsName,
} from "./weight-format.ts";

const FORMATS: BlockFormat[] = ([4, 8] as const).flatMap((bits) =>
  ([32, 64, 128] as const).flatMap((blockSize) =>
    [true, false].map((symmetric) => ({ bits, blockSize, symmetric })),
  ),
);

/** Integer `index` of those that begin at a byte, low bits first. */
function integer(bytes: Uint8Array, first: number, index: number, bits: number): number {
  const place = index * bits;
  return ((bytes[first + Math.floor(place / 8)] as number) >> (place % 8)) & (2 ** bits - 1);
}

describe.each(FORMATS)(
  "quantizeBlocks to $bits bits, blocks of $blockSize, symmetric $symmetric",
  (format) => {
    const { bits, blockSize, symmetric } = format;
    const [outputs, inputs] = [3, 2 * blockSize + 5];
    const values = new CounterRng(1).fillNormal(new Float32Array(outputs * inputs));
    values.fill(0, 0, blockSize); // a block of zeros
    values.fill(-0.75, blockSize, 2 * blockSize); // one of the same number
    const shapes = packedShapes(format, outputs, inputs);
    const { packed, scales, zeroPoints } = quantizeBlocks(values, outputs, inputs, format);
    const [, blocks, bytesPerBlock] = shapes.packed;

    const grid = (row: number, block: number) => ({
      scale: scales[row * blocks + block] as number,
      zero:
        zeroPoints === undefined
          ? 2 ** (bits - 1)
          : integer(zeroPoints, row * shapes.zeroPoints[1], block, bits),
    });
    const unpacked = (row: number, column: number): number => {
      const block = Math.floor(column / blockSize);
      const { scale, zero } = grid(row, block);
      return (
        scale * (integer(packed, (row * blocks + block) * bytesPerBlock, column % blockSize, bits) - zero)
      );
    };

    it("fills the shapes of its format", () => {
      expect(packed.length).toBe(shapes.packed.reduce((a, b) => a * b, 1));
      expect(scales.length).toBe(outputs * blocks);
      expect(zeroPoints?.length).toBe(symmetric ? undefined : outputs * shapes.zeroPoints[1]);
    });

    it("is off by half a step at most, and by one at the short end of a symmetric block", () => {
      for (let row = 0; row < outputs; row++) {
        for (let column = 0; column < inputs; column++) {
          const { scale } = grid(row, Math.floor(column / blockSize));
          const error = Math.abs(unpacked(row, column) - (values[row * inputs + column] as number));
          expect(error).toBeLessThanOrEqual(Math.abs(scale) * (symmetric ? 1 : 0.5001) + 1e-7);
        }
      }
    });

    it("keeps zeros and the number farthest from them", () => {
      expect(unpacked(0, 0)).toBeCloseTo(0, 12);
      expect(unpacked(0, blockSize)).toBeCloseTo(-0.75, 6);
      expect(unpacked(1, inputs)).toBeCloseTo(0, 12); // what pads the last block
    });
  },
);

it("knows the weight that a parameter is part of", () => {
  expect(["w", scalesName("w"), zeroPointsName("w")].map(packedWeightOf)).toEqual(["w", "w", "w"]);
});
