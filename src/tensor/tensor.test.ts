/** @file Dtypes, shapes and tensors as plain data. */

import { describe, expect, it } from "vitest";
import { ModelFormatError, ShapeError, UnsupportedError } from "../errors.ts";
import {
  allocate,
  bytesOf,
  bytesPerElement,
  DTYPES,
  elementsFromBytes,
  fromSafetensorsDType,
  safetensorsDType,
} from "./dtype.ts";
import { byteLength, contiguousStrides, elementCount, sameShape } from "./shape.ts";
import { fromFloat32, tensor, toFloat32 } from "./tensor.ts";

describe("dtype", () => {
  it("names, sizes and arrays agree for every dtype", () => {
    for (const dtype of DTYPES) {
      expect(fromSafetensorsDType(safetensorsDType(dtype))).toBe(dtype);
      const data = allocate(dtype, 3);
      expect(data.BYTES_PER_ELEMENT).toBe(bytesPerElement(dtype));
      expect(data.length).toBe(3);
    }
    expect(fromSafetensorsDType("F32")).toBe("float32");
    expect(fromSafetensorsDType("F4")).toBeUndefined();
  });

  it("reads elements from bytes at any alignment", () => {
    const bytes = Uint8Array.from([9, 0, 0, 128, 63, 0, 0, 0, 192]);
    const shifted = elementsFromBytes("float32", bytes.subarray(1));
    expect([...shifted]).toEqual([1, -2]);
    const aligned = new Uint8Array(bytes.subarray(1));
    expect(elementsFromBytes("float32", aligned).buffer).toBe(aligned.buffer);
    expect([...bytesOf(shifted)]).toEqual([...aligned]);
    expect(() => elementsFromBytes("float32", bytes)).toThrow(ModelFormatError);
  });
});

describe("shape", () => {
  it("counts elements and refuses what cannot be counted", () => {
    expect(elementCount([])).toBe(1);
    expect(elementCount([2, 3, 4])).toBe(24);
    expect(elementCount([5, 0])).toBe(0);
    for (const bad of [
      [-1],
      [1.5],
      [2 ** 30, 2 ** 30],
      [0, 2 ** 30, 2 ** 30],
      [Number.NaN],
      new Array(33).fill(1),
    ]) {
      expect(() => elementCount(bad)).toThrow(ShapeError);
    }
    expect(byteLength("bfloat16", [3, 5])).toBe(30);
    expect(() => byteLength("float64", [2 ** 52])).toThrow(ShapeError);
  });

  it("gives row-major strides", () => {
    expect(contiguousStrides([2, 3, 4])).toEqual([12, 4, 1]);
    expect(contiguousStrides([])).toEqual([]);
    expect(sameShape([1, 2], [1, 2])).toBe(true);
    expect(sameShape([1, 2], [2])).toBe(false);
  });
});

describe("tensor", () => {
  it("checks data against dtype and shape", () => {
    expect(() => tensor("float32", [2], new Float32Array(3))).toThrow(ShapeError);
    expect(() => tensor("float16", [2], new Float32Array(2))).toThrow(ShapeError);
  });

  it("converts to float32 and back", () => {
    const values = Float32Array.from([1, -0.5, 65504]);
    for (const dtype of ["float16", "float64", "float32"] as const) {
      expect(toFloat32(fromFloat32(dtype, [3], values))).toEqual(values);
    }
    expect(toFloat32(fromFloat32("bfloat16", [1], Float32Array.of(1.00390625)))[0]).toBe(1);
    expect([...toFloat32(tensor("int64", [2], BigInt64Array.of(3n, -4n)))]).toEqual([3, -4]);
    expect([...toFloat32(tensor("bool", [2], Uint8Array.of(1, 0)))]).toEqual([1, 0]);
    expect(() => toFloat32(tensor("float8_e5m2", [1], new Uint8Array(1)))).toThrow(UnsupportedError);
    expect(() => fromFloat32("int8", [3], values)).toThrow(UnsupportedError);
  });
});
