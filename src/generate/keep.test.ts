import { expect, it } from "vitest";
import { InputError } from "../errors.ts";
import { canvasesOf, type KeptTokens } from "./keep.ts";

const data = Float32Array.from({ length: 2 * 3 * 2 }, (_, i) => i);

it("keeps the first tokens of each picture", () => {
  const canvases = canvasesOf({ data: data.slice(0, 8), shape: [2, 2, 2] }, 2, [1, 3], 2);
  expect(canvases.map((canvas) => canvas.forcedAhead())).toEqual([2, 2]);
  expect([...(canvases[1]?.tokens(0, 2) ?? [])]).toEqual([4, 5, 6, 7]);
});

it("keeps single cells by a mask, other ones in each picture", () => {
  const canvases = canvasesOf(
    { data, shape: [2, 3, 2], mask: Uint8Array.of(0, 1, 1, 1, 0, 0) },
    2,
    [1, 3],
    2,
  );
  const states = canvases.map((canvas) => [0, 1, 2].map((cell) => canvas.stateOf(cell)));
  expect(states).toEqual([
    ["open", "forced", "forced"],
    ["forced", "open", "open"],
  ]);
});

it.each<[string, KeptTokens]>([
  ["other pictures", { data, shape: [3, 2, 2] }],
  ["too many tokens", { data: new Float32Array(16), shape: [2, 4, 2] }],
  ["data of another size", { data: new Float32Array(4), shape: [2, 2, 2] }],
  ["a mask that does not fit", { data, shape: [2, 3, 2], mask: new Uint8Array(5) }],
  ["a mask of other numbers", { data, shape: [2, 3, 2], mask: new Uint8Array(6).fill(2) }],
  ["a mask for a part", { data: data.slice(0, 8), shape: [2, 2, 2], mask: new Uint8Array(4) }],
  ["numbers that are not finite", { data: data.map(() => Number.NaN), shape: [2, 3, 2] }],
])("refuses %s", (_, keep) => {
  expect(() => canvasesOf(keep, 2, [1, 3], 2)).toThrow(InputError);
});
