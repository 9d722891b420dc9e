/** @file Failures to write say where and what to do; others stay what they are. */
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { AbortedError, InputError } from "../errors.ts";
import { partialName } from "./partial-name.ts";
import { writeFailure } from "./write-failure.ts";

const systemError = (code: string): Error => Object.assign(new Error(`${code}: write`), { code });

describe("writeFailure", () => {
  it("explains system errors with the path", () => {
    const full = writeFailure(systemError("ENOSPC"), "data/out");
    expect(full).toBeInstanceOf(InputError);
    expect(String(full)).toMatch(/data\/out: cannot be written: the disk is full \(free some space/);
    expect(String(writeFailure(systemError("EIO"), "data/out"))).toMatch(/data\/out: .*EIO: write/);
  });

  it("names the place of what is still being filled under a hidden name", () => {
    const folder = join("data", partialName("out", "4711"));
    const message = (path: string): string => String(writeFailure(systemError("ENOSPC"), path));
    expect(message(join(folder, "train", "000.tar"))).toContain(
      `${join("data", "out", "train", "000.tar")}: cannot`,
    );
    expect(message(partialName("a.b", "00ff"))).toContain("a.b: cannot");
    expect(message("x.partial-1")).toContain("x.partial-1: cannot");
  });

  it("leaves typed errors and faults of the program alone", () => {
    for (const error of [new AbortedError(), new TypeError("bug")])
      expect(writeFailure(error, "x")).toBe(error);
  });
});
