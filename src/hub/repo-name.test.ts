import { describe, expect, it } from "vitest";
import { InputError } from "../errors.ts";
import { formatRepoName, isRepoName, isSafePath, parseRepoName } from "./repo-name.ts";

describe("parseRepoName", () => {
  it.each([
    ["org/name", { repository: "org/name", revision: "main" }],
    ["gpt2", { repository: "gpt2", revision: "main" }],
    ["stepfun-ai/NextStep-1.1@v1", { repository: "stepfun-ai/NextStep-1.1", revision: "v1" }],
    ["o/n@refs/pr/3", { repository: "o/n", revision: "refs/pr/3" }],
  ])("reads %s and writes it again", (text, name) => {
    expect(parseRepoName(text)).toEqual(name);
    expect(formatRepoName(name)).toBe(text);
  });

  it.each([
    "",
    "/a/b",
    "a/b/c",
    "../x",
    "./x",
    "a/..",
    "a--b/c",
    "a/b--c",
    "a/b.git",
    "-a/b",
    "a/b.",
    "a b/c",
    "C:\\x",
    "https://huggingface.co/a/b",
    "a/b@",
    "a/b@../../x",
    "a/b@a\u0000",
    `a/${"n".repeat(97)}`,
  ])("refuses %j", (text) => {
    expect(isRepoName(text)).toBe(false);
    expect(() => parseRepoName(text)).toThrow(InputError);
  });
});

describe("isSafePath", () => {
  it.each(["a", "vae/config.json", ".gitattributes", "a b.txt", "über.json", "console.txt", "com10"])(
    "takes %j",
    (path) => {
      expect(isSafePath(path)).toBe(true);
    },
  );
  it.each([
    "",
    "/a",
    "a/",
    "a//b",
    ".",
    "..",
    "a/../b",
    "a\\b",
    "c:",
    "con",
    "NUL.txt",
    "a/com1.json",
    "lpt².x",
    "a.",
    "a ",
    "a\n",
    "a\u202eb",
    "\ud800",
    "a?b",
    "x".repeat(256),
    `${"d/".repeat(600)}x`,
  ])("refuses %j", (path) => {
    expect(isSafePath(path)).toBe(false);
  });
});
