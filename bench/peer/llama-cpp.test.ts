import { describe, expect, it } from "vitest";
import { installCommand } from "./llama-cpp.ts";

describe("installCommand", () => {
  it.each([
    ["linux", "x64", "linux-x64"],
    ["darwin", "arm64", "mac-arm64-metal"],
    ["darwin", "x64", "mac-x64"],
    ["win32", "arm64", "win-arm64"],
  ])("names the build for %s %s, and runs no script", (platform, arch, build) => {
    const command = installCommand(platform, arch);
    expect(command).toMatch(new RegExp(` @node-llama-cpp/${build}@[0-9.]+$`));
    expect(command).toContain("--no-save --ignore-scripts --omit=optional");
  });
});
