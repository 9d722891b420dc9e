/** @file Cases of the operators that choose by index, with repeated indices where they are allowed. */
import { gatherAlong, gatherRows, pickLast, placeAlong, scatterAddRows } from "../operators/gather.ts";
import { selectRows } from "../operators/select-rows.ts";
import type { CaseGenerator } from "./operator-case.ts";
import { at, generate, sumOver } from "./tensor64.ts";

export const gatherCases: Readonly<Record<string, CaseGenerator>> = {
  gatherRows: (draw) => {
    const rows = draw.axis(1, 4);
    const rest = draw.axes(0, 2);
    const table = draw.operand([rows, ...rest]);
    const ids = draw.indices(draw.axes(0, 3), rows.size);
    const lead = ids.tensor.shape.length;
    return draw.finish(gatherRows(table.value, ids.value), (tensor, chosen) =>
      generate([...chosen.shape, ...tensor.shape.slice(1)], (index) =>
        at(tensor, [at(chosen, index.slice(0, lead)), ...index.slice(lead)]),
      ),
    );
  },
  gatherAlong: (draw) => {
    const axes = draw.axes(1, 4);
    const axis = draw.integer(0, axes.length - 1);
    const x = draw.fixed(axes, () => draw.number(-2, 2));
    const ids = draw.indices([draw.axis(1, 5)], axes[axis]?.size ?? 1);
    return draw.finish(gatherAlong(x.value, ids.value, axis), (tensor, chosen) =>
      generate(tensor.shape.with(axis, chosen.shape[0] as number), (index) =>
        at(tensor, index.with(axis, at(chosen, [index[axis] as number]))),
      ),
    );
  },
  scatterAddRows: (draw) => {
    const [count, width] = [draw.axis(1, 6), draw.axis(1, 4)];
    const rows = draw.axis(1, 4);
    const x = draw.operand([count, width]);
    const ids = draw.indices([count], rows.size);
    const anchor = draw.fixed([rows], () => 0);
    const value = scatterAddRows(x.value, ids.value, rows.dim);
    return draw.finish([value, anchor.value], (tensor, chosen, other) => [
      generate([rows.size, width.size], ([row, column]) =>
        sumOver(count.size, (i) => (at(chosen, [i]) === row ? at(tensor, [i, column as number]) : 0)),
      ),
      other,
    ]);
  },
  placeAlong: (draw) => {
    const [rows, heads, width] = [draw.axis(1, 3), draw.axis(1, 2), draw.axis(1, 3)];
    const capacity = draw.axis(2, 5);
    const count = draw.known(draw.integer(1, capacity.size));
    const target = draw.fixed([rows, heads, capacity, width], () => draw.number(-2, 2));
    const x = draw.fixed([rows, heads, count, width], () => draw.number(-2, 2));
    const free: number[] = [];
    const places = draw.integers([rows, count], () => {
      // Distinct within a row.
      if (free.length <= capacity.size - count.size)
        free.splice(0, free.length, ...draw.order(capacity.size));
      return free.pop() as number;
    });
    return draw.finish(placeAlong(target.value, x.value, places.value, 2), (old, fresh, chosen) =>
      generate(old.shape, (index) => {
        const [row, head, place, column] = index as [number, number, number, number];
        for (let i = 0; i < count.size; i++)
          if (at(chosen, [row, i]) === place) return at(fresh, [row, head, i, column]);
        return at(old, index);
      }),
    );
  },
  pickLast: (draw) => {
    const lead = draw.axes(0, 3);
    const width = draw.axis(1, 5);
    const x = draw.operand([...lead, width]);
    const ids = draw.indices(lead, width.size);
    return draw.finish(pickLast(x.value, ids.value), (tensor, chosen) =>
      generate(chosen.shape, (index) => at(tensor, [...index, at(chosen, index)])),
    );
  },
  selectRows: (draw) => {
    const count = draw.axis(1, 6);
    const width = draw.known(draw.integer(1, 4));
    const order = draw.order(count.size);
    const chosen = order.slice(0, draw.integer(1, count.size));
    const x = draw.operand([count, width]);
    let next = 0;
    const ids = draw.integers([draw.known(chosen.length)], () => chosen[next++] as number);
    let row = 0;
    const places = draw.integers([count], () => {
      const place = chosen.indexOf(row++);
      return place === -1 ? chosen.length : place;
    });
    return draw.finish(selectRows(x.value, ids.value, places.value), (tensor, picked) =>
      generate([chosen.length, width.size], ([i, column]) =>
        at(tensor, [at(picked, [i as number]), column as number]),
      ),
    );
  },
};
