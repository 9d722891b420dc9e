/** @file The resumable generator: positions, resume, ranges, distribution. */

import { describe, expect, it } from "vitest";
import { InputError } from "../errors.ts";
import { CounterRng } from "./counter-rng.ts";

describe("CounterRng", () => {
  it("continues from a saved state through JSON, wherever it stopped", () => {
    for (let stop = 0; stop < 9; stop++) {
      const whole = new CounterRng(-5n);
      for (let i = 0; i < stop; i++) whole.uint32();
      const resumed = CounterRng.from(JSON.parse(JSON.stringify(whole.state)));
      expect([resumed.uint32(), resumed.normal(), resumed.below(10)]).toEqual([
        whole.uint32(),
        whole.normal(),
        whole.below(10),
      ]);
      expect(resumed.state).toEqual(whole.state);
    }
  });

  it("starts anywhere, also far out", () => {
    for (const start of [0, 1, 2 ** 34 - 2, 2 ** 52]) {
      const rng = new CounterRng(99, start);
      for (let i = 0; i < 6; i++) expect(new CounterRng(99, start + i).uniform()).toBe(rng.uniform());
    }
    expect(new CounterRng(1, 2 ** 34).uniform()).not.toBe(new CounterRng(1).uniform());
  });

  it("draws integers evenly and within range", () => {
    const rng = new CounterRng(1);
    const counts = new Array<number>(7).fill(0);
    for (let i = 0; i < 70_000; i++) counts[rng.below(7)]! += 1;
    const chiSquare = counts.reduce((sum, c) => sum + (c - 10_000) ** 2 / 10_000, 0);
    expect(chiSquare).toBeLessThan(22.5); // 99.9% point for 6 degrees of freedom
    expect(rng.below(1)).toBe(0);
    expect(rng.below(2 ** 32)).toBeLessThan(2 ** 32);
    for (const bad of [0, -1, 1.5, 2 ** 33]) expect(() => rng.below(bad)).toThrow(InputError);
  });

  it("fills arrays with normals and uniforms, in step with its counter", () => {
    const rng = new CounterRng(3);
    const normals = rng.fillNormal(new Float32Array(20_001));
    expect(rng.state.counter).toBe(20_002);
    const mean = normals.reduce((a, b) => a + b, 0) / normals.length;
    const square = normals.reduce((a, b) => a + b * b, 0) / normals.length;
    expect(Math.abs(mean)).toBeLessThan(0.04);
    expect(Math.abs(square - 1)).toBeLessThan(0.05);
    const uniforms = rng.fillUniform(new Float32Array(10_000));
    expect(Math.max(...uniforms)).toBeLessThan(1);
    expect(Math.min(...uniforms)).toBeGreaterThanOrEqual(0);
    expect(uniforms.reduce((a, b) => a + b, 0) / 10_000).toBeCloseTo(0.5, 1);
  });

  it("draws later what it passed over", () => {
    for (const count of [0, 1, 6, 7]) {
      const [whole, split] = [new CounterRng(8, 3), new CounterRng(8, 3)];
      const drawn = whole.fillNormal(new Float32Array(count));
      const reserved = split.reserveNormal(count);
      expect(split.uint32()).toBe(whole.uint32());
      expect(CounterRng.from(reserved).fillNormal(new Float32Array(count))).toEqual(drawn);
    }
  });

  it("shuffles into every order about equally often", () => {
    const rng = new CounterRng(4);
    const seen = new Map<string, number>();
    for (let i = 0; i < 6000; i++) {
      const order = rng.shuffle([0, 1, 2]).join("");
      seen.set(order, (seen.get(order) ?? 0) + 1);
    }
    expect(seen.size).toBe(6);
    for (const count of seen.values()) expect(Math.abs(count - 1000)).toBeLessThan(150);
  });

  it("refuses states that are not states", () => {
    expect(() => CounterRng.from({ key: "x", counter: 0 })).toThrow(InputError);
    expect(() => CounterRng.from({ key: "1", counter: -1 })).toThrow(InputError);
    expect(() => CounterRng.from({ key: "1", counter: 0.5 })).toThrow(InputError);
    expect(() => new CounterRng(1, -1)).toThrow(InputError);
  });
});
