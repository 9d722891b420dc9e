/** @file Rotary position embedding, half-split layout (docs/nextstep-spec.md 2.1). */
import { formatShape } from "../size.ts";
import { apply, expectType, kernel, type Operator, requiredInput, shapeError, type Value } from "../value.ts";
import { neg } from "./elementwise.ts";

const rotaryOperator: Operator = {
  name: "rotary",
  lower: kernel("RotaryEmbedding", "com.microsoft"),
  gradient: (node, [gradient]) => {
    if (gradient === undefined) return [];
    // A rotation's transpose is the rotation by the opposite angle.
    const [positions, cosines, sines] = [1, 2, 3].map((index) => requiredInput(node, index)) as [
      Value,
      Value,
      Value,
    ];
    return [rotary(gradient, positions, cosines, neg(sines)), undefined, undefined, undefined];
  },
};

/**
 * Rotates the two halves of each head by the angle of its position: q' = q*cos + [-q2, q1]*sin.
 * x [batch, heads, tokens, headDim], positions int64 [batch, tokens], cosines and sines [positions, headDim/2].
 */
export function rotary(x: Value, positions: Value, cosines: Value, sines: Value): Value {
  expectType("rotary", positions, "int64");
  const headDim = x.shape.at(-1);
  const half = cosines.shape.at(-1);
  const fits =
    x.shape.length === 4 &&
    typeof headDim === "number" &&
    half === headDim / 2 &&
    formatShape(cosines.shape) === formatShape(sines.shape) &&
    formatShape(positions.shape) === formatShape([x.shape[0] ?? 0, x.shape[2] ?? 0]);
  if (!fits) {
    throw shapeError(
      "rotary",
      `x ${formatShape(x.shape)}, positions ${formatShape(positions.shape)}, table ${formatShape(cosines.shape)} do not fit`,
    );
  }
  return apply(rotaryOperator, [x, positions, cosines, sines], "float32", x.shape, { interleaved: 0 });
}
