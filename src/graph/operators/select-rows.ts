/** @file Choosing distinct rows of a matrix, with a gradient that gathers instead of scattering. */
import { formatShape, sizeOf } from "../size.ts";
import { composite, expectType, shapeError, type Value } from "../value.ts";
import { zeros } from "./broadcast.ts";
import { gatherRows } from "./gather.ts";
import { concat } from "./layout.ts";
import { reshape } from "./reshape.ts";

/**
 * Rows of a matrix, each at most once. Because a row has one place at most, its gradient is read from there: faster
 * than a scatter, which the engine runs on one thread.
 * @param x [count, width]
 * @param ids int64 [...], distinct rows of x.
 * @param places int64 [count]: where row i stands in `ids` flattened, or the number of ids when it is not chosen.
 * @returns [...ids, width]
 */
export function selectRows(x: Value, ids: Value, places: Value): Value {
  expectType("selectRows", places, "int64");
  const [count, width] = x.shape;
  const fits = x.shape.length === 2 && places.shape.length === 1 && places.shape[0] === count;
  if (!fits || typeof width !== "number") {
    throw shapeError("selectRows", `${formatShape(places.shape)} places do not fit ${formatShape(x.shape)}`);
  }
  return composite("selectRows", [x], gatherRows(x, ids), (gradient) => {
    const flat = reshape(gradient, [sizeOf(ids.shape), width]);
    // Rows that were not chosen read the row of zeros at the end.
    return [gatherRows(concat([flat, zeros([1, width])], 0), places)];
  });
}
