/** @file Matrix products, batched and broadcast over leading axes, with transposition and scaling in one kernel. */
import { broadcastShapes, type Dim, formatShape, type Shape, sizeOf } from "../size.ts";
import {
  apply,
  expectType,
  kernel,
  type Operator,
  type OperatorNode,
  requiredInput,
  shapeError,
  type Value,
} from "../value.ts";
import { sumToShape } from "./broadcast.ts";
import { add, scale } from "./elementwise.ts";
import { transpose } from "./layout.ts";
import { reshape } from "./reshape.ts";

export interface MatmulOptions {
  /** Transpose the last two axes of a / of b. Default false. */
  readonly transA?: boolean;
  readonly transB?: boolean;
  /** Factor on the product. Default 1. */
  readonly alpha?: number;
}

const matmulOperator: Operator = {
  name: "matmul",
  lower: (target) =>
    target === "webgpu"
      ? (node) => [composedProduct(node)]
      : { type: "FusedMatMul", domain: "com.microsoft" },
  gradient: (node, [gradient]) => {
    if (gradient === undefined) return [];
    const a = requiredInput(node, 0);
    const b = requiredInput(node, 1);
    const transA = node.attributes.transA === 1;
    const transB = node.attributes.transB === 1;
    const { float: alpha } = node.attributes.alpha as { float: number };
    if (!transA && b.shape.length === 2 && a.shape.length > 2) return flatRule(a, b, gradient, transB, alpha);
    // y = A B: dA = dY Bᵀ, dB = Aᵀ dY; for a transposed operand the same product is written transposed.
    const da = transA
      ? matmul(b, gradient, { transA: transB, transB: true, alpha })
      : matmul(gradient, b, { transB: !transB, alpha });
    const db = transB
      ? matmul(gradient, a, { transA: true, transB: transA, alpha })
      : matmul(a, gradient, { transA: !transA, alpha });
    return [sumToShape(da, a.shape), sumToShape(db, b.shape)];
  },
};

/** Appears only in place of the fused product, after gradients were made. */
const plainOperator: Operator = { name: "plainMatmul", lower: kernel("MatMul") };

/** The fused product where there is no kernel for it. */
function composedProduct(node: OperatorNode): Value {
  const side = (index: number, transposed: boolean): Value => {
    const value = requiredInput(node, index);
    if (!transposed) return value;
    const axes = value.shape.map((_dim, axis) => axis);
    const [rows, columns] = axes.splice(-2) as [number, number];
    return transpose(value, [...axes, columns, rows]);
  };
  const { dtype, shape } = node.outputs[0] as Value;
  const operands = [side(0, node.attributes.transA === 1), side(1, node.attributes.transB === 1)];
  const { float: alpha } = node.attributes.alpha as { float: number };
  return scale(apply(plainOperator, operands, dtype, shape), alpha);
}

/** A matrix applied to every row of a higher-rank value: one large product for its gradient, not one per batch entry. */
function flatRule(
  a: Value,
  b: Value,
  gradient: Value,
  transB: boolean,
  alpha: number,
): readonly [Value, Value] {
  const rows = sizeOf(a.shape.slice(0, -1));
  const flatA = reshape(a, [rows, a.shape.at(-1) as Dim]); // [rows, in]
  const flatGradient = reshape(gradient, [rows, gradient.shape.at(-1) as Dim]); // [rows, out]
  const da = matmul(gradient, b, { transB: !transB, alpha });
  const db = transB
    ? matmul(flatGradient, flatA, { transA: true, alpha }) // [out, in]
    : matmul(flatA, flatGradient, { transA: true, alpha }); // [in, out]
  return [da, db];
}

function matrixSides(shape: Shape, transposed: boolean): readonly [Dim, Dim] {
  const rows = shape.at(-2) as Dim;
  const columns = shape.at(-1) as Dim;
  return transposed ? [columns, rows] : [rows, columns];
}

/** alpha * a b over the last two axes. a [..., m, k], b [..., k, n] (before transposition) -> [..., m, n]. */
export function matmul(a: Value, b: Value, options: MatmulOptions = {}): Value {
  expectType("matmul", a, "float32");
  expectType("matmul", b, "float32");
  const { transA = false, transB = false, alpha = 1 } = options;
  const describe = `${formatShape(a.shape)}${transA ? "ᵀ" : ""} by ${formatShape(b.shape)}${transB ? "ᵀ" : ""}`;
  if (a.shape.length < 2 || b.shape.length < 2)
    throw shapeError("matmul", `${describe}: both need two axes or more`);
  const [m, k] = matrixSides(a.shape, transA);
  const [kOfB, n] = matrixSides(b.shape, transB);
  const batch = broadcastShapes(a.shape.slice(0, -2), b.shape.slice(0, -2));
  if (k !== kOfB || batch === undefined) throw shapeError("matmul", `${describe} do not fit`);
  return apply(matmulOperator, [a, b], "float32", [...batch, m, n], {
    transA: transA ? 1 : 0,
    transB: transB ? 1 : 0,
    alpha: { float: alpha },
  });
}

/** x Wᵀ + b, weights as checkpoints store them. x [..., in], weight [out, in], bias [out] -> [..., out]. */
export function linear(x: Value, weight: Value, bias?: Value): Value {
  const product = matmul(x, weight, { transB: true });
  return bias === undefined ? product : add(product, bias);
}
