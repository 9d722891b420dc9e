/** @file Products with, and rows of, matrices that are stored as integers in blocks, each block with its scale. */
import { type Dim, formatShape } from "../size.ts";
import {
  apply,
  constant,
  expectType,
  kernel,
  type Operator,
  type OperatorNode,
  requiredInput,
  shapeError,
  type Value,
} from "../value.ts";
import { slice } from "./layout.ts";
import { matmul } from "./matmul.ts";
import { reshape } from "./reshape.ts";

/** A matrix [outputs, inputs]: scale * (integer - zero point), in blocks along the inputs, the last one padded. */
export interface BlockMatrix {
  /** uint8 [outputs, blocks, blockSize * bits / 8], low bits first. */
  readonly packed: Value;
  /** [outputs, blocks] */
  readonly scales: Value;
  /** uint8 [outputs, ceil(blocks * bits / 8)]; without them, all are 2^(bits - 1). */
  readonly zeroPoints?: Value | undefined;
  readonly inputs: number;
  readonly bits: 4 | 8;
  readonly blockSize: number;
}

/** int8 activations, with a scale for each block of them: on the CPU the only level that is fast at 4 and 8 bits. */
const ACCURACY_LEVEL = 4;

const matmulBlocksOperator: Operator = {
  name: "matmulBlocks",
  lower: kernel("MatMulNBits", "com.microsoft"),
  // The packed matrix is frozen. dX needs the matrix along its outputs, along which it is not packed: it is unpacked
  // to float32 for this one product, at every run (the engine does not do it ahead and keep the result). The rounding
  // of activations counts as the identity.
  gradient: (node, [gradient]) => {
    if (gradient === undefined) return [];
    const matrix = matrixOf(node);
    const outputs = gradient.shape.at(-1) as number;
    const everyRow = constant(
      Array.from({ length: outputs }, (_, row) => row),
      [outputs],
      "int64",
    );
    const unpacked = gatherBlocks(matrix, everyRow); // [outputs, inputs]
    return [matmul(gradient, unpacked)];
  },
};

function matrixOf(node: OperatorNode): BlockMatrix {
  const { K, bits, block_size } = node.attributes as Readonly<Record<string, number>>;
  return {
    packed: requiredInput(node, 1),
    scales: requiredInput(node, 2),
    zeroPoints: node.inputs[3],
    inputs: K as number,
    bits: bits as 4 | 8,
    blockSize: block_size as number,
  };
}

function checkMatrix(operator: string, matrix: BlockMatrix): readonly [outputs: number, blocks: number] {
  const { packed, scales, zeroPoints, inputs, bits, blockSize } = matrix;
  expectType(operator, packed, "uint8");
  expectType(operator, scales, "float32");
  const outputs = packed.shape[0];
  const blocks = Math.ceil(inputs / blockSize);
  const shapes = [
    [packed, [outputs, blocks, (blockSize * bits) / 8]],
    [scales, [outputs, blocks]],
    ...(zeroPoints === undefined ? [] : [[zeroPoints, [outputs, Math.ceil((blocks * bits) / 8)]] as const]),
  ] as const;
  for (const [value, shape] of shapes) {
    if (value.shape.join() !== shape.join()) {
      throw shapeError(operator, `${formatShape(value.shape)} is not [${shape.join(", ")}]`);
    }
  }
  return [outputs as number, blocks];
}

/** x Wᵀ. x [..., inputs], W a matrix in blocks -> [..., outputs]. Only x has a gradient. */
export function matmulBlocks(x: Value, matrix: BlockMatrix): Value {
  expectType("matmulBlocks", x, "float32");
  const [outputs] = checkMatrix("matmulBlocks", matrix);
  if (x.shape.at(-1) !== matrix.inputs)
    throw shapeError("matmulBlocks", `${formatShape(x.shape)} does not have ${matrix.inputs} inputs`);
  const { packed, scales, zeroPoints, inputs, bits, blockSize } = matrix;
  const operands = [x, packed, scales, ...(zeroPoints === undefined ? [] : [zeroPoints])];
  return apply(matmulBlocksOperator, operands, "float32", [...x.shape.slice(0, -1), outputs], {
    K: inputs,
    N: outputs,
    bits,
    block_size: blockSize,
    accuracy_level: ACCURACY_LEVEL,
  });
}

/** Nothing flows back: the packed matrix is frozen. */
const gatherBlocksOperator: Operator = {
  name: "gatherBlocks",
  lower: kernel("GatherBlockQuantized", "com.microsoft"),
  gradient: () => [undefined, undefined, undefined, undefined],
};

/** Rows of a matrix in blocks. ids int64 [...] in 0 to outputs - 1 -> [..., inputs] */
export function gatherBlocks(matrix: BlockMatrix, ids: Value): Value {
  expectType("gatherBlocks", ids, "int64");
  const { packed, scales, zeroPoints, inputs, bits, blockSize } = matrix;
  const [outputs, blocks] = checkMatrix("gatherBlocks", matrix);
  const padded = blocks * blockSize;
  const table = reshape(packed, [outputs, (padded * bits) / 8]);
  const operands = [table, ids, scales, ...(zeroPoints === undefined ? [] : [zeroPoints])];
  const rows = apply(gatherBlocksOperator, operands, "float32", [...ids.shape, padded], {
    bits,
    block_size: blockSize,
    gather_axis: 0,
    quantize_axis: 1,
  });
  return slice(rows, { axis: ids.shape.length, start: 0, end: inputs as Dim });
}
