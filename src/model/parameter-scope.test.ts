import { expect, it } from "vitest";
import { ShapeError } from "../errors.ts";
import { ParameterScope } from "./parameter-scope.ts";

it("hands out one value a name, in the order of the first asking", () => {
  const scope = new ParameterScope();
  const first = scope.get("b", [2, 3]);
  scope.get("a", [1]);
  expect(scope.get("b", [2, 3])).toBe(first);
  expect(scope.list).toEqual([
    { name: "b", shape: [2, 3] },
    { name: "a", shape: [1] },
  ]);
});

it("refuses another shape under a known name", () => {
  const scope = new ParameterScope();
  scope.get("a", [2, 3]);
  expect(() => scope.get("a", [3, 2])).toThrow(ShapeError);
});
