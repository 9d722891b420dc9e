import { crc32 as reference } from "node:zlib";
import { expect, it } from "vitest";
import { crc32 } from "./crc32.ts";

it("agrees with zlib and with the published check value", () => {
  expect(crc32(new TextEncoder().encode("123456789"))).toBe(0xcbf43926);
  expect(crc32(new Uint8Array(0))).toBe(0);
  const bytes = Uint8Array.from({ length: 1000 }, (_, i) => (i * i) % 251);
  expect(crc32(bytes)).toBe(reference(bytes));
});
