import { describe, expect, it } from "vitest";
import { ShapeError } from "../errors.ts";
import { input } from "../graph/value.ts";
import { ParameterScope } from "./parameter-scope.ts";
import type { WeightFormat } from "./weight-format.ts";

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

describe("a plan", () => {
  const x = input("x", "float32", ["rows", 40]);
  const block: WeightFormat = { bits: 4, blockSize: 32, symmetric: false };
  const shapes = (scope: ParameterScope): string[] =>
    [...scope.values()].map(([name, { dtype, shape }]) => `${name} ${dtype} [${shape}]`);

  it("says how each weight stands in the graph, and leaves all values float32", () => {
    const plan = (name: string): WeightFormat => (name.startsWith("half") ? "bfloat16" : block);
    const scope = new ParameterScope(plan);
    const values = [
      scope.linear("half", x, 8, { bias: true }),
      scope.linear("packed", x, 8, { bias: true }),
      scope.embedding("half_table", input("ids", "int64", ["rows"]), [5, 40]),
      scope.embedding("packed", input("ids", "int64", ["rows"]), [8, 40]),
      scope.get("packed_norm", [3]),
    ];
    expect(values.map(({ dtype }) => dtype)).toEqual(new Array(5).fill("float32"));
    expect(values.map(({ shape }) => shape.join())).toEqual(["rows,8", "rows,8", "rows,40", "rows,40", "3"]);
    expect(shapes(scope)).toEqual([
      "half.weight bfloat16 [8,40]",
      "half.bias bfloat16 [8]",
      "packed.weight uint8 [8,2,16]",
      "packed.weight.scales float32 [8,2]",
      "packed.weight.zero_points uint8 [8,1]",
      "packed.bias float32 [8]",
      "half_table.weight bfloat16 [5,40]",
      "packed_norm float32 [3]",
    ]);
  });

  it("converts a 16-bit weight once, however often it is asked for", () => {
    const scope = new ParameterScope(() => "float16");
    expect(scope.get("a", [2])).toBe(scope.get("a", [2]));
  });
});
