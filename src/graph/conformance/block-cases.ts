/** @file Cases of matrices in blocks. */
import { type BlockMatrix, gatherBlocks, matmulBlocks } from "../operators/blocks.ts";
import { constant } from "../value.ts";
import type { CaseDraw, CaseGenerator } from "./operator-case.ts";
import { at, generate, sumOver, type Tensor64 } from "./tensor64.ts";

/** int8 activations are off by half a step of 1/127 of a block's largest, and random terms cancel where errors do not. */
const ACTIVATION_TOLERANCE = 3e-2;

interface DrawnMatrix {
  readonly matrix: BlockMatrix;
  /** Unpacked. [outputs, inputs] */
  readonly tensor: Tensor64;
}

function drawMatrix(draw: CaseDraw, outputs: number): DrawnMatrix {
  const bits = draw.pick([4, 8] as const);
  const blockSize = draw.pick([32, 64, 128]);
  const inputs = draw.integer(1, 2 * blockSize);
  const blocks = Math.ceil(inputs / blockSize);
  const integer = (): number => draw.integer(0, 2 ** bits - 1);
  const integers = Array.from({ length: outputs * blocks * blockSize }, integer);
  const scales = Array.from({ length: outputs * blocks }, () => Math.fround(draw.number(-0.1, 0.1)));
  const zeros = draw.flip() ? Array.from({ length: outputs * blocks }, integer) : undefined;
  const packedZeros = zeros && rowsOf(zeros, blocks).flatMap((row) => packed(row, bits));
  return {
    matrix: {
      packed: constant(packed(integers, bits), [outputs, blocks, (blockSize * bits) / 8], "uint8"),
      scales: constant(scales, [outputs, blocks]),
      zeroPoints: packedZeros && constant(packedZeros, [outputs, packedZeros.length / outputs], "uint8"),
      inputs,
      bits,
      blockSize,
    },
    tensor: generate([outputs, inputs], ([row, column]) => {
      const block = (row as number) * blocks + Math.floor((column as number) / blockSize);
      const place = block * blockSize + ((column as number) % blockSize);
      return (scales[block] as number) * ((integers[place] as number) - (zeros?.[block] ?? 2 ** (bits - 1)));
    }),
  };
}

function rowsOf(values: readonly number[], width: number): number[][] {
  return Array.from({ length: values.length / width }, (_, row) =>
    values.slice(row * width, (row + 1) * width),
  );
}

/** Bytes of integers, low bits first. */
function packed(integers: readonly number[], bits: 4 | 8): number[] {
  if (bits === 8) return [...integers];
  return rowsOf([...integers, 0], 2)
    .slice(0, Math.ceil(integers.length / 2))
    .map(([low = 0, high = 0]) => low + 16 * high);
}

export const blockCases: Readonly<Record<string, CaseGenerator>> = {
  matmulBlocks: (draw) => {
    const outputs = draw.integer(1, 5);
    const { matrix, tensor } = drawMatrix(draw, outputs);
    const x = draw.operand([...draw.axes(1, 3), draw.known(matrix.inputs)]);
    return draw.finish(
      matmulBlocks(x.value, matrix),
      (input) =>
        generate([...input.shape.slice(0, -1), outputs], (index) =>
          sumOver(
            matrix.inputs,
            (j) => at(tensor, [index.at(-1) as number, j]) * at(input, index.with(-1, j)),
          ),
        ),
      ACTIVATION_TOLERANCE,
    );
  },
  gatherBlocks: (draw) => {
    const rows = draw.integer(1, 5);
    const { matrix, tensor } = drawMatrix(draw, rows);
    const ids = draw.indices(draw.axes(1, 2), rows);
    return draw.finish(gatherBlocks(matrix, ids.value), (places) =>
      generate([...places.shape, matrix.inputs], (index) =>
        at(tensor, [at(places, index.slice(0, -1)), index.at(-1) as number]),
      ),
    );
  },
};
