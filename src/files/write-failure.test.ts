/** @file Failures to write say where and what to do; others stay what they are. */
import { describe, expect, it } from "vitest";
import { AbortedError, InputError } from "../errors.ts";
import { writeFailure } from "./write-failure.ts";

const systemError = (code: string): Error => Object.assign(new Error(`${code}: write`), { code });

describe("writeFailure", () => {
  it("explains system errors with the path", () => {
    const full = writeFailure(systemError("ENOSPC"), "data/out");
    expect(full).toBeInstanceOf(InputError);
    expect(String(full)).toMatch(/data\/out: cannot be written: the disk is full \(free some space/);
    expect(String(writeFailure(systemError("EIO"), "data/out"))).toMatch(/data\/out: .*EIO: write/);
  });

  it("leaves typed errors and faults of the program alone", () => {
    for (const error of [new AbortedError(), new TypeError("bug")])
      expect(writeFailure(error, "x")).toBe(error);
  });
});
