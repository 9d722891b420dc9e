import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { DataFormatError, InputError } from "../../errors.ts";
import { promptsOfStep, readPromptList } from "./prompt-list.ts";

let root = "";
beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), "nextstep-prompts-"));
});
afterAll(() => rm(root, { recursive: true }));

describe("readPromptList", () => {
  it("takes lists as they are, and the lines of files", async () => {
    expect(await readPromptList(["a", "b"])).toEqual(["a", "b"]);
    const path = join(root, "prompts.txt");
    await writeFile(path, "three dogs\r\n\n  a cat on blue \n");
    expect(await readPromptList(path)).toEqual(["three dogs", "a cat on blue"]);
  });

  it("refuses what is no text, holds none, or is not there", async () => {
    const path = join(root, "bad");
    await writeFile(path, Uint8Array.of(0xff, 0xfe, 0x00));
    await expect(readPromptList(path)).rejects.toThrow(path);
    await writeFile(path, "\n \n");
    await expect(readPromptList(path)).rejects.toThrow(DataFormatError);
    await expect(readPromptList(join(root, "none"))).rejects.toThrow(InputError);
  });
});

describe("promptsOfStep", () => {
  it("takes each prompt once before one comes again", () => {
    const all = Array.from({ length: 10 }, (_, step) => promptsOfStep(5, 2, 7, step)).flat();
    for (let epoch = 0; epoch < 4; epoch++) {
      expect(all.slice(5 * epoch, 5 * epoch + 5).sort()).toEqual([0, 1, 2, 3, 4]);
    }
    expect(new Set([0, 5, 10, 15].map((start) => all.slice(start, start + 5).join())).size).toBeGreaterThan(
      1,
    );
  });

  it("goes round where there are fewer prompts than an update takes", () => {
    expect(promptsOfStep(1, 3, 0, 4)).toEqual([0, 0, 0]);
  });
});
