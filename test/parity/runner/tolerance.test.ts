import { describe, expect, it } from "vitest";
import { compareNumbers } from "./comparison.ts";
import { ToleranceTable } from "./tolerance.ts";

describe("ToleranceTable", () => {
  const stated = {
    hidden: { atol: 1e-4, max_abs: 4 },
    grad: { atol: 3e-5, rtol: 1e-3 },
    after: { atol: 2e-5 },
    picture_u8: { max_step: 1, max_fraction_different: 0.01 },
    why: "words",
  };
  const table = new ToleranceTable(stated, [
    { prefix: "v0.", tolerance: { atol: 1 } },
    { prefix: "v1.", tolerance: { x: { atol: 2 } } },
    { prefix: "v2." },
  ]);
  const close = (atol: number, rtol = 0) => ({ kind: "close", atol, rtol });

  it("finds statements by name, by family, by variant", () => {
    expect(table.find("hidden", "float32")).toMatchObject({ group: "hidden", tolerance: close(1e-4) });
    expect(table.find("grad.norm.weight", "float32")).toMatchObject({
      group: "grad",
      tolerance: close(3e-5, 1e-3),
    });
    expect(table.find("after12.norm.weight", "float32")).toMatchObject({
      group: "after",
      tolerance: close(2e-5),
    });
    expect(table.find("v0.x", "float32")).toMatchObject({ group: "v0.*", tolerance: close(1) });
    expect(table.find("v1.x", "float32")).toMatchObject({ group: "v1.x", tolerance: close(2) });
    expect(table.find("v2.hidden", "float32")).toMatchObject({ tolerance: close(1e-4) });
    expect(new ToleranceTable({ atol: 5 }).find("any", "float32").tolerance).toEqual(close(5));
  });

  it("has a strict answer where nothing is stated", () => {
    expect(table.find("ids", "int64").tolerance).toEqual({ kind: "equal" });
    expect(table.find("guidance", "float64").tolerance).toEqual(close(1e-6, 1e-6));
    expect(table.find("other_u8", "uint8").tolerance).toEqual({
      kind: "steps",
      maxStep: 1,
      maxFraction: undefined,
    });
    expect(new ToleranceTable({}).find("other_u8", "uint8").tolerance).toEqual({ kind: "equal" });
  });

  it("refuses a statement that states nonsense", () => {
    expect(() => new ToleranceTable({ x: { atol: -1 } }).find("x", "float32")).toThrow(/malformed/);
    expect(() => new ToleranceTable({ x: { atol: "1" } }).find("x", "float32")).toThrow(/malformed/);
  });
});

describe("compareNumbers", () => {
  it("adds the absolute and the relative bound", () => {
    const tolerance = { kind: "close", atol: 0.1, rtol: 0.01 } as const;
    expect(compareNumbers([100.55], [100], tolerance).ratio).toBeCloseTo(0.5, 5);
    expect(compareNumbers([-0.2], [0], tolerance).ratio).toBeCloseTo(2, 5);
    expect(compareNumbers([1, 7], [1, 7], tolerance)).toEqual({ ratio: 0, text: "0 of 0.1" });
    expect(compareNumbers([Infinity], [1], tolerance).ratio).toBe(Infinity);
    expect(compareNumbers([Number.NaN], [Number.NaN], tolerance).ratio).toBe(Infinity);
  });

  it("lets the elements that are told be off by another bound", () => {
    const loose = { isLoose: (index: number): boolean => index === 1, atol: 1 };
    const tolerance = { kind: "close", atol: 0.1, rtol: 0 } as const;
    expect(compareNumbers([0, 0.5], [0, 0], tolerance, { loose }).ratio).toBeCloseTo(0.5, 5);
    expect(compareNumbers([0.5, 0], [0, 0], tolerance, { loose }).ratio).toBeCloseTo(5, 5);
    expect(compareNumbers([0, 1.5], [0, 0], tolerance, { loose }).ratio).toBeCloseTo(1.5, 5);
  });

  it("passes over elements that do not count", () => {
    const counts = (index: number): boolean => index !== 1;
    expect(compareNumbers([1, 9], [1, 2], { kind: "equal" }, { counts }).ratio).toBe(0);
    expect(compareNumbers([1, 9], [1, 2], { kind: "equal" }).ratio).toBe(Infinity);
  });

  it("compares integers of both kinds", () => {
    expect(compareNumbers([5, 6], [5n, 6n], { kind: "equal" }).ratio).toBe(0);
    expect(compareNumbers([5], [6n], { kind: "equal" }).text).toBe("5 at 0, expected 6");
  });

  it("explains bytes by the value before rounding", () => {
    const tolerance = { kind: "steps", maxStep: 1, maxFraction: undefined } as const;
    // 0 is byte 127.5: it may round either way; 1 is byte 255 exactly.
    const beforeRounding = { values: [0, 1], atol: 1e-3 };
    expect(compareNumbers([127, 255], [128, 255], tolerance, { beforeRounding }).ratio).toBe(1);
    expect(compareNumbers([128, 254], [128, 255], tolerance, { beforeRounding }).ratio).toBe(Infinity);
  });
});
