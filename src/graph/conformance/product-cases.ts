/** @file Cases of matrix products. */
import { linear, matmul } from "../operators/matmul.ts";
import type { Axis, CaseGenerator } from "./operator-case.ts";
import { at, atBroadcast, broadcastSizes, generate, sumOver, type Tensor64 } from "./tensor64.ts";

function product(a: Tensor64, b: Tensor64, transA: boolean, transB: boolean, alpha: number): Tensor64 {
  const batch = broadcastSizes(a.shape.slice(0, -2), b.shape.slice(0, -2));
  const [aRows, aColumns] = a.shape.slice(-2) as [number, number];
  const [bRows, bColumns] = b.shape.slice(-2) as [number, number];
  const [m, k] = transA ? [aColumns, aRows] : [aRows, aColumns];
  const n = transB ? bRows : bColumns;
  return generate([...batch, m, n], (index) => {
    const lead = index.slice(0, -2);
    const [row, column] = index.slice(-2) as [number, number];
    return (
      alpha *
      sumOver(
        k,
        (j) =>
          atBroadcast(a, [...lead, ...(transA ? [j, row] : [row, j])]) *
          atBroadcast(b, [...lead, ...(transB ? [column, j] : [j, column])]),
      )
    );
  });
}

export const productCases: Readonly<Record<string, CaseGenerator>> = {
  matmul: (draw) => {
    const batch = draw.axes(0, 3);
    const [m, k, n] = [draw.axis(1, 4), draw.axis(1, 5), draw.axis(1, 4)];
    const [transA, transB] = [draw.flip(), draw.flip()];
    const alpha = Math.fround(draw.pick([1, draw.number(-2, 2)]));
    const sides = (rows: Axis, columns: Axis, transposed: boolean): Axis[] =>
      transposed ? [columns, rows] : [rows, columns];
    const [leadA, leadB] = draw.flip()
      ? [batch, draw.pick([[], draw.broadcast(batch)])]
      : [draw.broadcast(batch), batch];
    const a = draw.operand([...leadA, ...sides(m, k, transA)]);
    const b = draw.operand([...leadB, ...sides(k, n, transB)]);
    const options = draw.flip() || transA || transB || alpha !== 1 ? { transA, transB, alpha } : {};
    return draw.finish(matmul(a.value, b.value, options), (x, y) => product(x, y, transA, transB, alpha));
  },
  linear: (draw) => {
    const [inside, outside] = [draw.axis(1, 5), draw.axis(1, 5)];
    const x = draw.operand([...draw.axes(1, 3), inside]);
    const weight = draw.operand([outside, inside]);
    const bias = draw.flip() ? draw.operand([outside]) : undefined;
    return draw.finish(linear(x.value, weight.value, bias?.value), (input, matrix, offset) =>
      generate([...input.shape.slice(0, -1), outside.size], (index) => {
        const row = index.at(-1) as number;
        const dot = sumOver(inside.size, (j) => at(matrix, [row, j]) * at(input, index.with(-1, j)));
        return dot + (offset === undefined ? 0 : at(offset, [row]));
      }),
    );
  },
};
