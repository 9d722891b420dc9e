/** @file The bound in bytes and the order of eviction. */
import { expect, it } from "vitest";
import { ConfigError } from "../../errors.ts";
import { ByteBoundedCache } from "./byte-bounded-cache.ts";

it("drops what was used longest ago once the bytes do not fit", () => {
  const cache = new ByteBoundedCache<string, number>(10);
  cache.set("a", 1, 4);
  cache.set("b", 2, 4);
  expect(cache.get("a")).toBe(1);
  cache.set("c", 3, 4);
  expect([cache.get("a"), cache.get("b"), cache.get("c")]).toEqual([1, undefined, 3]);
  expect(cache.byteLength).toBe(8);
});

it("counts a replaced value once and keeps nothing larger than itself", () => {
  const cache = new ByteBoundedCache<string, number>(10);
  cache.set("a", 1, 6);
  cache.set("a", 2, 8);
  expect([cache.get("a"), cache.byteLength]).toEqual([2, 8]);
  cache.set("a", 3, 11);
  expect([cache.get("a"), cache.byteLength]).toEqual([undefined, 0]);
  expect(() => new ByteBoundedCache(Number.NaN)).toThrow(ConfigError);
});
