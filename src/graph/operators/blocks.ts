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
  sizes,
  type Value,
} from "../value.ts";
import { add, sub } from "./elementwise.ts";
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
  // to float32 for this one product, at every run. The rounding of activations counts as the identity.
  gradient: (node, [gradient]) => {
    if (gradient === undefined) return [];
    const matrix = matrixOf(node);
    const outputs = gradient.shape.at(-1) as number;
    const unpacked = gatherBlocks(matrix, everyRow(outputs, gradient)); // [outputs, inputs]
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

/**
 * 0, 1, ... count - 1. Tied to a size that is known only when run, if there is one: else the engine would unpack the
 * matrix once, when it loads the graph, and keep it in float32.
 */
function everyRow(count: number, run: Value): Value {
  const rows = constant(
    Array.from({ length: count }, (_, row) => row),
    [count],
    "int64",
  );
  const open = run.shape.find((dim) => typeof dim === "string");
  if (open === undefined) return rows;
  return add(rows, sub(sizes([open]), sizes([open])));
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
