import { mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { InputError } from "../errors.ts";
import { freeName, parseTarget, promptSlug } from "./picture-file.ts";

describe("promptSlug", () => {
  it("keeps letters and digits of any script", () => {
    expect(promptSlug("A red Apple, please!")).toBe("a-red-apple-please");
    expect(promptSlug("ein Häuschen / 小さな家")).toBe("ein-häuschen-小さな家");
    expect(promptSlug("../../etc/passwd")).toBe("etc-passwd");
    expect(promptSlug("!!!")).toBe("picture");
  });

  it("ends at a whole word before the limit", () => {
    const slug = promptSlug("apple ".repeat(100));
    expect(slug.length).toBeLessThanOrEqual(80);
    expect(slug.endsWith("apple")).toBe(true);
  });
});

describe("freeName", () => {
  it("counts up rather than overwriting", async () => {
    const folder = await mkdtemp(join(tmpdir(), "nextstep-"));
    try {
      expect(await freeName(folder, "dog-1")).toBe(join(folder, "dog-1.png"));
      await writeFile(join(folder, "dog-1.png"), "first");
      expect(await freeName(folder, "dog-1")).toBe(join(folder, "dog-1-2.png"));
      expect(await readFile(join(folder, "dog-1.png"), "utf8")).toBe("first");
      expect(await readdir(folder)).toEqual(["dog-1.png"]);
    } finally {
      await rm(folder, { recursive: true });
    }
  });
});

describe("parseTarget", () => {
  it("tells files from folders", () => {
    expect(parseTarget(undefined, 3)).toEqual({ kind: "folder", path: "." });
    expect(parseTarget("out/apple.PNG", 1)).toEqual({ kind: "file", path: "out/apple.PNG" });
    expect(parseTarget("out", 3)).toEqual({ kind: "folder", path: "out" });
  });

  it("refuses what cannot be meant", () => {
    expect(() => parseTarget("apple.png", 2)).toThrow(InputError);
    expect(() => parseTarget("apple.jpg", 1)).toThrow(/--out/);
  });
});
