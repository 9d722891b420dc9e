/** @file Cases of operators that run graphs: one of two computations, and one that is repeated. */
import { add, mul } from "../operators/elementwise.ts";
import { ifElse } from "../operators/if-else.ts";
import { scan } from "../operators/scan.ts";
import type { Value } from "../value.ts";
import type { CaseGenerator } from "./operator-case.ts";
import { at, generate, type Index, type Tensor64 } from "./tensor64.ts";

export const choiceCases: Readonly<Record<string, CaseGenerator>> = {
  ifElse: (draw) => {
    const axes = draw.axes(1, 3);
    const condition = draw.flag();
    const [x, y] = [draw.fixed(axes, () => draw.number(-2, 2)), draw.fixed(axes, () => draw.number(-2, 2))];
    // One operand of the branches is computed outside, the other is an input that they see anyway.
    const outside = add(x.value, x.value);
    const chosen = ifElse(condition.value, [outside], mul(outside, y.value), add(outside, y.value));
    return draw.finish(chosen, (flag, a, b) =>
      generate(a.shape, (index) => {
        const twice = 2 * at(a, index);
        return at(flag, []) === 1 ? twice * at(b, index) : twice + at(b, index);
      }),
    );
  },
  scan: (draw) => {
    const steps = draw.axis(1, 5);
    const axes = draw.axes(1, 3);
    const elements = draw.fixed([steps, ...axes], () => draw.number(-1, 1));
    const [start, factor] = [draw.fixed(axes, () => draw.number(-2, 2)), draw.fixed(axes, () => 0.5)];
    // Computed outside from an input, and used by a step.
    const half = mul(factor.value, factor.value);
    const { state, outputs } = scan([start.value], [elements.value], ([x], [element]) => {
      const moved = mul(add(x as Value, element as Value), add(half, half));
      return { state: [moved], outputs: [add(moved, element as Value), half] };
    });
    return draw.finish([...state, ...outputs], (sequence, first, share) => {
      const states = [first];
      for (let step = 0; step < steps.size; step++) {
        const before = states[step] as Tensor64;
        states.push(
          generate(
            first.shape,
            (index) => (at(before, index) + at(sequence, [step, ...index])) * 2 * at(share, index) ** 2,
          ),
        );
      }
      const behind = ([step = 0, ...index]: Index): number => at(states[step + 1] as Tensor64, index);
      return [
        states.at(-1) as Tensor64,
        generate(sequence.shape, (index) => behind(index) + at(sequence, index)),
        generate(sequence.shape, ([, ...index]) => at(share, index) ** 2),
      ];
    });
  },
};
