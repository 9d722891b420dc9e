import { cp, mkdtemp, readFile, rm, truncate, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { writeBlocks } from "../../test/support/write-blocks.ts";
import { convertTensors } from "../checkpoint/convert-dtype.ts";
import { openModelFolder } from "../checkpoint/model-folder.ts";
import { DataFormatError, InputError } from "../errors.ts";
import { LocalFolder } from "../files/local-folder.ts";
import { replaceFile } from "../files/replacement-file.ts";
import { writeOnnx } from "../graph/onnx-writer.ts";
import { input } from "../graph/value.ts";
import { embedTokens } from "../model/backbone.ts";
import { ParameterScope } from "../model/parameter-scope.ts";
import type { WeightFormat } from "../model/weight-format.ts";
import { contentsOf, writeModelFolder } from "../node/write-model-folder.ts";
import { LocalEngine } from "../runtime/node/local-engine.ts";
import { ModelSessions } from "./model-sessions.ts";
import { storedEmbedding } from "./stored-embedding.ts";
import { testModelPath } from "./test-models.ts";

const scratch = await mkdtemp(join(tmpdir(), "nextstep-embedding-"));
const engine = new LocalEngine({ threads: 1, spin: false });
afterAll(async () => {
  await engine[Symbol.asyncDispose]();
  await rm(scratch, { recursive: true });
});

const IDS = [0, 7, 499, 7, 300];

/** A copy of the test model with its weights in a format; of blocks, its table alone. */
async function storedIn(format: WeightFormat, name: string): Promise<string> {
  const [source, target] = [testModelPath("v1.1"), join(scratch, name)];
  if (typeof format === "object") await writeBlocks(source, target, { "embed_tokens.weight": format });
  else {
    await using folder = await openModelFolder(new LocalFolder(source));
    const { tensors, ...content } = contentsOf(folder);
    await writeModelFolder(target, { ...content, tensors: convertTensors(tensors, format) });
  }
  return target;
}

describe("rows of the vocabulary's table", () => {
  it.each<[string, WeightFormat]>([
    ["float32", "float32"],
    ["float16", "float16"],
    ["bfloat16", "bfloat16"],
    ["8 bits", { bits: 8, blockSize: 32, symmetric: true }],
    ["8 bits with zero points", { bits: 8, blockSize: 64, symmetric: false }],
    ["4 bits", { bits: 4, blockSize: 32, symmetric: true }],
    ["4 bits with zero points", { bits: 4, blockSize: 32, symmetric: false }],
  ])("have the bits that the engine gathers, %s", async (name, format) => {
    await using folder = await openModelFolder(new LocalFolder(await storedIn(format, name)));
    const { config, tensors } = folder;
    expect(tensors.weightPlan("embed_tokens.weight")).toEqual(format);
    const scope = new ParameterScope(tensors.weightPlan);
    const rows = embedTokens(scope, config, input("ids", "int64", ["tokens"]));
    const session = await engine.createSession(
      writeOnnx({ rows }, { parameters: "initializers" }),
      tensors.weightSource,
    );
    const ids = { dtype: "int64", shape: [IDS.length], data: BigInt64Array.from(IDS, BigInt) } as const;
    const gathered = await session.run({ ids });
    expect(await storedEmbedding(config, tensors)(IDS)).toEqual(gathered.rows?.data);
  });

  it("are read by themselves, each once", async () => {
    await using folder = await openModelFolder(new LocalFolder(testModelPath("v1.1")));
    const read: unknown[] = [];
    const embed = storedEmbedding(folder.config, {
      read: async (name, rows) => {
        read.push([name, rows]);
        return folder.tensors.read(name, rows);
      },
      checkUnchanged: async () => {},
    });
    await embed(IDS);
    expect(read).toEqual([0, 7, 499, 300].map((first) => ["embed_tokens.weight", { first, count: 1 }]));
  });

  it("are refused by number beyond the table, and by file when that was written to or cut short", async () => {
    const path = join(scratch, "overwritten");
    await cp(testModelPath("v1.1"), path, { recursive: true });
    await using folder = await openModelFolder(new LocalFolder(path));
    const { file } = folder.tensors.entry("embed_tokens.weight").stored;
    const embed = storedEmbedding(folder.config, folder.tensors);
    await expect(embed([folder.config.vocabSize])).rejects.toThrow(InputError);
    await embed(IDS);
    await writeFile(file, await readFile(file));
    await expect(embed(IDS)).rejects.toThrow(DataFormatError);
    await truncate(file, 1000);
    await expect(embed(IDS)).rejects.toThrow(/shorter/);
  });
});

describe("a file that is replaced", () => {
  it("is refused when a session is made, which opens it by its name; what was opened goes on", async () => {
    const path = join(scratch, "replaced");
    await cp(testModelPath("v1.1"), path, { recursive: true });
    await using folder = await openModelFolder(new LocalFolder(path));
    const { file } = folder.tensors.entry("embed_tokens.weight").stored;
    const sessions = new ModelSessions(engine, folder);
    await using rows = await sessions.cachedRows(1);
    const bytes = await readFile(file);
    await replaceFile(file, (sink) => sink.write(bytes));
    await rows.append([{ ids: IDS }]);
    await expect(sessions.imageHead()).rejects.toThrow(/changed, replaced/);
  });
});
