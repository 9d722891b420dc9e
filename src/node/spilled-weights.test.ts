/** @file Checkpoints that others quantized, opened through a scratch file as large ones are, and as they always were. */
import { cp, mkdir, mkdtemp, readdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, afterEach, describe, expect, it, vi } from "vitest";
import { writeGrouped } from "../../test/support/write-grouped.ts";
import { openModelFolder } from "../checkpoint/model-folder.ts";
import { AbortedError } from "../errors.ts";
import { LocalFolder } from "../files/local-folder.ts";
import { backboneGraph } from "../generate/backbone-graph.ts";
import { Model } from "../generate/model.ts";
import type { LoadProgress } from "../generate/open-options.ts";
import { boundParameters } from "../graph/onnx-weights.ts";
import type { Engine, EngineOptions, WeightSource } from "../runtime/engine.ts";
import { LocalEngine } from "../runtime/node/local-engine.ts";
import { WorkerEngine } from "../runtime/node/worker-engine.ts";
import { nodePlatform } from "./platform.ts";

const MODEL = fileURLToPath(new URL("../../test/parity/models/v1", import.meta.url));
const scratch = await mkdtemp(join(tmpdir(), "nextstep-spilled-"));
afterAll(() => rm(scratch, { recursive: true }));
afterEach(() => vi.unstubAllEnvs());

const quantizes = (module: string): boolean => module.startsWith("layers.");
const settings = { bits: 4, group_size: 32 };
const GPTQ = join(scratch, "gptq");
await writeGrouped(MODEL, GPTQ, {
  ...{ words: "gptq", bits: 4, groupSize: 32, symmetric: true, quantizes },
  settings: { ...settings, quant_method: "gptq", sym: true, desc_act: false },
});
const AWQ = join(scratch, "awq");
await writeGrouped(MODEL, AWQ, {
  ...{ words: "awq", bits: 4, groupSize: 32, symmetric: false, quantizes },
  settings: { ...settings, quant_method: "awq", version: "gemm", zero_point: true },
});

let made = 0;
/** The folder for temporary files of what comes next, of its own. */
async function temporaryFolder(): Promise<string> {
  const folder = join(scratch, `tmp-${made++}`);
  await mkdir(folder);
  vi.stubEnv("TMPDIR", folder);
  return folder;
}

/** What starts threads from sources keeps files of its own there. */
async function hiddenIn(folder: string): Promise<string[]> {
  return (await readdir(folder)).filter((name) => name.startsWith("."));
}

const engines: [string, (options: EngineOptions) => Engine][] = [
  ["local", (options) => new LocalEngine(options)],
  ["worker", (options) => WorkerEngine.create(options)],
];

describe.each(engines)("weights that are repacked, in the %s engine", (_, create) => {
  async function draw(path: string, spillFrom: number) {
    const progress: LoadProgress[] = [];
    const folder = await temporaryFolder();
    const platform = { ...nodePlatform, createEngine: () => create({ threads: 1, spin: false, spillFrom }) };
    const onProgress = (step: LoadProgress): void => {
      progress.push(step);
    };
    await using model = await Model.open(platform, path, { threads: 1, onProgress });
    const [picture] = await model.draw("a red apple", { seed: 5, steps: 2, size: { width: 32, height: 32 } });
    const left = await hiddenIn(folder);
    return { planes: picture?.planes, spilled: progress.filter(isSpill), left, folder };
  }
  const isSpill = ({ phase }: LoadProgress): boolean => phase === "taking scratch space";

  it.each([GPTQ, AWQ])("of %s draw the same through a file, of which nothing is left", async (path) => {
    const plain = await draw(path, Number.POSITIVE_INFINITY);
    const spilled = await draw(path, 1000);
    expect(plain.spilled).toEqual([]);
    expect(spilled.spilled[0]).toMatchObject({ folder: spilled.folder, bytes: expect.any(Number) });
    expect(plain.planes?.length).toBeGreaterThan(0);
    expect(spilled.planes).toEqual(plain.planes);
    expect(spilled.left).toEqual([]);
  });

  it("leave nothing when they are given up, fail, or their engine goes away", async () => {
    await using model = await openModelFolder(new LocalFolder(GPTQ));
    const { tensors, config } = model;
    const graph = backboneGraph(config, tensors.weightPlan);
    const folder = await temporaryFolder();
    const last = boundParameters(graph).at(-1)?.name;
    let held: string[] = [];
    const failing =
      (end: () => unknown): WeightSource =>
      async (port) => {
        if (port.name !== last) return tensors.weightSource(port);
        held = await hiddenIn(folder);
        await end();
        return tensors.weightSource(port);
      };
    const engine = create({ threads: 1, spillFrom: 0 });
    const fail = (error: Error) => () => Promise.reject(error);
    await expect(engine.createSession(graph, failing(fail(new AbortedError())))).rejects.toThrow(
      AbortedError,
    );
    expect(held.some((name) => name.includes(".partial-"))).toBe(true);
    expect(await hiddenIn(folder)).toEqual([]);
    const broken = { ...graph, bytes: graph.bytes.slice(0, -7) };
    await expect(engine.createSession(broken, tensors.weightSource)).rejects.toThrow();
    expect(await hiddenIn(folder)).toEqual([]);
    const session = await engine.createSession(graph, tensors.weightSource);
    await session.dispose();
    await engine[Symbol.asyncDispose]();
    expect(await hiddenIn(folder)).toEqual([]);
  });

  it("are put beside the model where no other folder will do", async () => {
    const path = join(scratch, `beside-${_}`);
    await cp(GPTQ, path, { recursive: true });
    await using model = await openModelFolder(new LocalFolder(path));
    vi.stubEnv("TMPDIR", join(scratch, "none"));
    await using engine = create({ threads: 1, spillFrom: 0 });
    const { tensors, config } = model;
    const folders: string[] = [];
    const told = ({ folder }: { folder: string }) => folders.push(folder);
    await engine.createSession(backboneGraph(config, tensors.weightPlan), tensors.weightSource, told);
    expect(["/var/tmp", path]).toContain(folders[0]);
  });
});
