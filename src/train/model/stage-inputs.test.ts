import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { LocalFolder } from "../../files/local-folder.ts";
import { inheritedSettings } from "./stage-inputs.ts";

const samples = { prompts: [], guidance: 3, steps: 8 };

describe("what a trained folder draws with", () => {
  let folder = "";
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), "nextstep-inherited-"));
  });
  afterAll(() => rm(folder, { recursive: true, force: true }));

  const inherit = async (json: object | undefined, rowLag: number | null) => {
    if (json === undefined) return inheritedSettings({ samples, rowLag }, undefined);
    await writeFile(join(folder, "nextstep.json"), JSON.stringify(json));
    return inheritedSettings({ samples, rowLag }, { files: new LocalFolder(folder) });
  };

  it("is what its samples are drawn with, and in their order", async () => {
    expect(await inherit(undefined, null)).toEqual({ generation: { cfg: 3, steps: 8 } });
    expect(await inherit(undefined, 2)).toEqual({ generation: { cfg: 3, steps: 8, rowLag: 2 } });
  });

  it("is what its start says, but in the order that it learnt last", async () => {
    const start = { generation: { cfg: 2, rowLag: 4 }, editing: { cfgImg: 2 } };
    expect(await inherit(start, 2)).toEqual({ ...start, generation: { cfg: 2, rowLag: 2 } });
    expect(await inherit(start, null)).toEqual({ ...start, generation: { cfg: 2 } });
  });

  it("is what the release draws with where the start says nothing", async () => {
    expect(await inherit({ trained: {} }, null)).toEqual({ trained: {} });
    expect(await inherit({ trained: {} }, 2)).toEqual({
      trained: {},
      generation: { cfg: 3, steps: 8, rowLag: 2 },
    });
  });
});
