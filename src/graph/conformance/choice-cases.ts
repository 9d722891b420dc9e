/** @file Cases of choosing between two computations. */
import { add, mul } from "../operators/elementwise.ts";
import { ifElse } from "../operators/if-else.ts";
import type { CaseGenerator } from "./operator-case.ts";
import { at, generate } from "./tensor64.ts";

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
};
