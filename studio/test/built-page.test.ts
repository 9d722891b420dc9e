import { readdir, readFile } from "node:fs/promises";
import { extname, join } from "node:path";
import { gzipSync } from "node:zlib";
import { describe, expect, it } from "vitest";
import { BUILT } from "./serve-page.ts";

const MOST_GZIPPED = 300_000;

async function builtFiles(): Promise<ReadonlyMap<string, Buffer>> {
  const entries = await readdir(BUILT, { recursive: true, withFileTypes: true });
  const files = entries.filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name));
  return new Map(await Promise.all(files.map(async (file) => [file, await readFile(file)] as const)));
}

describe("the built page", () => {
  it("is small", async () => {
    const sizes = [...(await builtFiles()).values()].map((bytes) => gzipSync(bytes).length);
    const sum = sizes.reduce((all, size) => all + size, 0);
    expect(sum).toBeGreaterThan(20_000);
    expect(sum).toBeLessThanOrEqual(MOST_GZIPPED);
  });

  it("has nothing inline and names no other place", async () => {
    const files = await builtFiles();
    const page = [...files].find(([name]) => name.endsWith("index.html"))?.[1].toString("utf8") ?? "";
    const scripts = [...page.matchAll(/<script[^>]*>([\s\S]*?)<\/script>/g)];
    expect(scripts.length).toBeGreaterThan(0);
    for (const [tag, text] of scripts) {
      expect(tag).toMatch(/src="\.\/assets\/[\w.-]+\.js"/);
      expect(text).toBe("");
    }
    expect(page).not.toMatch(/<style|\sstyle=|\son\w+=/);
    for (const [name, bytes] of files) {
      if (![".html", ".css", ".js"].includes(extname(name))) continue;
      // Names of XML's kinds and addresses in error messages are not asked for.
      const addresses = bytes.toString("utf8").match(/https?:\/\/[\w.-]+/g) ?? [];
      expect([name, addresses.filter((address) => !/w3\.org|svelte\.dev/.test(address))]).toEqual([name, []]);
      expect(bytes.toString("utf8")).not.toMatch(/@import|url\(\s*["']?(?:https?:|\/\/|data:)/);
    }
  });
});
