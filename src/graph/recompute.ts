/**
 * @file Gradient checkpointing (arXiv 1604.06174): values that are computed once more where their gradient is wanted, instead
 * of being held from the forward pass until then.
 */
import { ShapeError } from "../errors.ts";
import { pullBack } from "./gradient.ts";
import { add, mul } from "./operators/elementwise.ts";
import { slice } from "./operators/layout.ts";
import { reshape } from "./operators/reshape.ts";
import { multiplySizes } from "./size.ts";
import { composite, constant, type Value } from "./value.ts";

/**
 * The value that `build` makes of `x`, of which nothing but `x` is held for the gradient: that builds it once more. Numbers are
 * the same either way.
 * @param build uses weights, and of computed values none but its argument that depends on float32 weights.
 * @throws ShapeError when the gradient is asked for and `build` uses such a value.
 */
export function recomputed(x: Value, build: (x: Value) => Value): Value {
  const definition = build(x);
  const inside = computedBetween(x, definition);
  const inputs = [x, ...inside.weights];
  return composite("recomputed", inputs, definition, (gradient) => {
    const late = behind(x, gradient);
    const again = build(late);
    const { values } = computedBetween(late, again);
    if ([...values].some((value) => inside.values.has(value))) {
      throw new ShapeError("uses a value from outside that has a gradient", { where: "recomputed" });
    }
    return pullBack(again, gradient, [late, ...inside.weights], late);
  });
}

/** The float32 weights that `result` is made of beside `x`, and the computed values that depend on any of these. */
function computedBetween(
  x: Value,
  result: Value,
): { readonly weights: readonly Value[]; readonly values: ReadonlySet<Value> } {
  const weights: Value[] = [];
  const values = new Set<Value>();
  const depends = new Map<Value, boolean>([[x, true]]);
  const visit = (value: Value): boolean => {
    const known = depends.get(value);
    if (known !== undefined) return known;
    const { producer, dtype } = value;
    let found = false;
    if (producer.kind === "parameter" && dtype === "float32") {
      weights.push(value);
      found = true;
    } else if (producer.kind === "operator" || producer.kind === "composite") {
      for (const operand of producer.inputs) found = (operand !== undefined && visit(operand)) || found;
      if (found) values.add(value);
    }
    depends.set(value, found);
    return found;
  };
  visit(result);
  return { weights, values };
}

/**
 * x, but computed only when `gradient` is: an engine that orders nodes by what they need would compute again at once, and one
 * that merges equal nodes not at all. A gradient that is not finite spoils what it is the gradient of in any case.
 */
function behind(x: Value, gradient: Value): Value {
  const flat = reshape(gradient, [multiplySizes(...gradient.shape)]);
  return add(x, mul(slice(flat, { axis: 0, start: 0, end: 1 }), constant(0)));
}
