import { describe, expect, it } from "vitest";
import { ConfigError, DataFormatError, InputError } from "../../errors.ts";
import { openReward } from "./open-reward.ts";
import { parseRewardSpec } from "./reward-spec.ts";

describe("parseRewardSpec", () => {
  it.each([
    ["count", { name: "count" }],
    ["likeness:a b.png", { name: "likeness", picture: "a b.png" }],
    ["command: python score.py:1 ", { name: "command", command: "python score.py:1", format: "path" }],
    ["command-json:./score", { name: "command", command: "./score", format: "json" }],
  ])("reads %j", (text, spec) => {
    expect(parseRewardSpec(text)).toEqual(spec);
  });

  it.each([
    "",
    "counts",
    "count:",
    "count:3",
    "likeness",
    "likeness:",
    "command: ",
    "toString",
    "toString:a",
  ])("refuses %j", (text) => {
    expect(() => parseRewardSpec(text)).toThrow(ConfigError);
  });
});

describe("openReward", () => {
  it("wants what is needed, and refuses what does nothing", async () => {
    await expect(openReward({ name: "count" })).rejects.toThrow(/needs the data.*--data/);
    await expect(openReward({ name: "colour" }, { data: "d", features: "f" })).rejects.toThrow(
      /nothing with --features/,
    );
    const command = { name: "command", command: "cat", format: "path" } as const;
    await expect(openReward(command, { data: "d" })).rejects.toThrow(/nothing with --data/);
    await expect(openReward({ name: "count" }, { data: "/no/such/folder" })).rejects.toThrow(DataFormatError);
    await expect(openReward({ name: "likeness", picture: "/no/such.png" })).rejects.toThrow(InputError);
    await expect(openReward({ ...command, command: "/no/such" })).rejects.toThrow(InputError);
  });
});
