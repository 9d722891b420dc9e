/** @file Event files byte for byte: against published check values, and files that other writers made. */
import { expect, it } from "vitest";
import { crc32c, restartRecord, scalarsRecord, versionRecord } from "./event-file.ts";

const latin = (text: string): Uint8Array => Uint8Array.from(text, (letter) => letter.charCodeAt(0));
const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString("hex");

it.each([
  // RFC 3720, B.4, as numbers rather than in the order of transmission; the last is the usual check value.
  ["32 zeros", new Uint8Array(32), 0x8a9136aa],
  ["32 ones", new Uint8Array(32).fill(0xff), 0x62a8ab43],
  ["ascending", Uint8Array.from({ length: 32 }, (_, i) => i), 0x46dd794e],
  ["123456789", latin("123456789"), 0xe3069283],
])("computes CRC-32C of %s", (_what, bytes, crc) => {
  expect(crc32c(bytes)).toBe(crc);
});

it("writes the bytes that other writers write", () => {
  // The test of the tensorboard_logger package holds these files, written at 256.5 s.
  const time = "0000000000087040";
  const version = `1800000000000000a37f4b2209${time}1a0d${hex(latin("brain.Event:2"))}bc98212b`;
  expect(hex(versionRecord(256.5))).toBe(version);
  const scalar = `19000000000000008bf1082809${time}10012a0c0a0a0a03${hex(latin("v/1"))}150000c03f2cecc087`;
  expect(hex(scalarsRecord(256.5, 1, { "v/1": 1.5 }))).toBe(scalar);
});

it("writes steps of several bytes, and where a run goes on", () => {
  // 300 is [0xac, 0x02]; field 7 holds {status: START}.
  expect(hex(restartRecord(0, 300))).toContain("10ac023a020801");
  expect(hex(scalarsRecord(0, 2 ** 40, { a: 1 }))).toContain("10808080808020");
});
