/** @file Checkpoints: round trip, retention, half-written folders, other settings, damage. */
import { mkdir, mkdtemp, readdir, readFile, rename, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { NamedBuffer } from "../optimizer/trainable.ts";
import type { TrainProgress } from "./checkpoint-seal.ts";
import { CheckpointFolder } from "./train-state.ts";

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "checkpoints-"));
});
afterEach(() => rm(folder, { recursive: true }));

const buffers = (...values: number[]): NamedBuffer[] => [
  { name: "weights/a", shape: [2, 2], data: Float32Array.from(values) },
  { name: "adamw.first/a", shape: [2, 2], data: Float32Array.from(values, (x) => x / 3) },
];
const progress = (step: number): TrainProgress => ({
  step,
  images: 10 * step,
  adjustable: { steps: 100, threads: 2 },
  identity: { seed: 1, phases: [1, 2], optimizer: { rate: 0.1 } },
  stage: { visits: 7 },
});
const writeModel = (path: string) => writeFile(join(path, "config.json"), "{}");

describe("CheckpointFolder", () => {
  it("gives back every bit of the newest checkpoint", async () => {
    const checkpoints = new CheckpointFolder(folder);
    await checkpoints.save({ progress: progress(5), buffers: buffers(1, 2, 3, 4), writeModel }, 3);
    const path = await checkpoints.save(
      { progress: progress(10), buffers: buffers(0.1, -0, 1e-40, 3e38), writeModel },
      3,
    );
    expect(await readdir(path)).toEqual(["config.json", "training"]);
    const target = buffers(0, 0, 0, 0);
    expect(await checkpoints.restoreLatest(target, progress(0))).toEqual({
      progress: progress(10),
      changes: [],
      damaged: [],
    });
    expect(target.map(({ data }) => data)).toEqual(buffers(0.1, -0, 1e-40, 3e38).map(({ data }) => data));
  });

  it("finds nothing in a new folder", async () => {
    const checkpoints = new CheckpointFolder(join(folder, "none"));
    expect(await checkpoints.restoreLatest(buffers(0, 0, 0, 0), progress(0))).toBeUndefined();
  });

  it("keeps the newest by number, not by name", async () => {
    const checkpoints = new CheckpointFolder(folder);
    for (const step of [8, 9, 10, 11]) {
      await checkpoints.save({ progress: progress(step), buffers: buffers(step, 0, 0, 0), writeModel }, 2);
    }
    expect(await checkpoints.steps()).toEqual([10, 11]);
    expect((await readdir(folder)).sort()).toEqual(["checkpoint-10", "checkpoint-11"]);
  });

  it("keeps what is there and leaves nothing half-written when the disk is full", async () => {
    const checkpoints = new CheckpointFolder(folder);
    await checkpoints.save({ progress: progress(3), buffers: buffers(1, 2, 3, 4), writeModel }, 1);
    const failingWrite = async (path: string) => {
      await writeModel(path);
      throw Object.assign(new Error("ENOSPC: no space left on device, write"), { code: "ENOSPC" });
    };
    const failing = checkpoints.save(
      { progress: progress(4), buffers: buffers(1, 2, 3, 4), writeModel: failingWrite },
      1,
    );
    await expect(failing).rejects.toThrow(/checkpoint-4: cannot be written: the disk is full/);
    expect(await readdir(folder)).toEqual(["checkpoint-3"]);
  });

  it("passes over and removes what was half-written", async () => {
    const checkpoints = new CheckpointFolder(folder);
    await checkpoints.save({ progress: progress(3), buffers: buffers(1, 2, 3, 4), writeModel }, 2);
    const failing = checkpoints.save(
      {
        progress: progress(4),
        buffers: buffers(9, 9, 9, 9),
        writeModel: () => Promise.reject(new Error("killed here")),
      },
      2,
    );
    await expect(failing).rejects.toThrow("killed here");
    await mkdir(join(folder, "checkpoint-99.partial", "training"), { recursive: true });
    const restored = await checkpoints.restoreLatest(buffers(0, 0, 0, 0), progress(0));
    expect(restored?.progress.step).toBe(3);
    expect(await readdir(folder)).toEqual(["checkpoint-3"]);
  });

  it("names the setting that differs", async () => {
    const checkpoints = new CheckpointFolder(folder);
    await checkpoints.save({ progress: progress(3), buffers: buffers(1, 2, 3, 4), writeModel }, 2);
    const other = { seed: 1, phases: [1, 2], optimizer: { rate: 0.2 } };
    await expect(
      checkpoints.restoreLatest(buffers(0, 0, 0, 0), { ...progress(0), identity: other }),
    ).rejects.toThrow(/another "optimizer.rate" \(choose another output folder/);
    const longer = { seed: 1, phases: [1, 2, 3], optimizer: { rate: 0.1 } };
    await expect(
      checkpoints.restoreLatest(buffers(0, 0, 0, 0), {
        ...progress(0),
        identity: longer,
      }),
    ).rejects.toThrow('"phases"');
  });

  it("refuses damaged state with a remedy", async () => {
    const checkpoints = new CheckpointFolder(folder);
    const path = await checkpoints.save(
      { progress: progress(3), buffers: buffers(1, 2, 3, 4), writeModel },
      2,
    );
    const target = [{ name: "weights/b", shape: [4], data: new Float32Array(4) }];
    await expect(checkpoints.restoreLatest(target, progress(0))).rejects.toThrow("holds 2 tensors");
    const state = join(path, "training", "state.json");
    await writeFile(state, (await readFile(state, "utf8")).slice(0, 20));
    await expect(checkpoints.restoreLatest(buffers(0, 0, 0, 0), progress(0))).rejects.toThrow(
      /none of 1 checkpoints is whole.*is no training state.*remove this folder/,
    );
  });

  it.each(["partial", "replaced", "removed"])(
    "takes a whole checkpoint under a name of passage: %s",
    async (name) => {
      const checkpoints = new CheckpointFolder(folder);
      const path = await checkpoints.save(
        { progress: progress(3), buffers: buffers(1, 2, 3, 4), writeModel },
        2,
      );
      await rename(path, `${path}.${name}`);
      const restored = await checkpoints.restoreLatest(buffers(0, 0, 0, 0), progress(0));
      expect(restored?.progress.step).toBe(3);
      expect(await readdir(folder)).toEqual(["checkpoint-3"]);
    },
  );

  it("tells what was changed of the settings that may be", async () => {
    const checkpoints = new CheckpointFolder(folder);
    await checkpoints.save({ progress: progress(3), buffers: buffers(1, 2, 3, 4), writeModel }, 2);
    const now = { ...progress(0), adjustable: { steps: 200, threads: 2 } };
    const restored = await checkpoints.restoreLatest(buffers(0, 0, 0, 0), now);
    expect(restored?.changes).toEqual(["steps: 100 before, 200 now"]);
  });

  it.each([
    ["a flipped bit of the state", "training/state.safetensors"],
    ["a flipped bit of the counters", "training/state.json"],
    ["a flipped bit of the model", "config.json"],
  ])("goes back to the checkpoint before: %s", async (_what, file) => {
    const checkpoints = new CheckpointFolder(folder);
    await checkpoints.save({ progress: progress(3), buffers: buffers(1, 2, 3, 4), writeModel }, 2);
    const path = await checkpoints.save(
      { progress: progress(4), buffers: buffers(5, 6, 7, 8), writeModel },
      2,
    );
    const bytes = await readFile(join(path, file));
    const at = file.endsWith(".json") ? bytes.lastIndexOf("2") : bytes.length - 1;
    const place = at < 0 ? 0 : at;
    bytes[place] = bytes[place]! ^ 1;
    await writeFile(join(path, file), bytes);
    const target = buffers(0, 0, 0, 0);
    const restored = await checkpoints.restoreLatest(target, progress(0));
    expect(restored?.progress.step).toBe(3);
    expect(restored?.damaged).toEqual([expect.stringContaining("checkpoint-4")]);
    expect([...target[0]!.data]).toEqual([1, 2, 3, 4]);
    expect((await readdir(folder)).sort()).toEqual(["checkpoint-3", "checkpoint-4.damaged"]);
  });

  it("does not take a half-removed checkpoint for whole", async () => {
    const checkpoints = new CheckpointFolder(folder);
    await checkpoints.save({ progress: progress(3), buffers: buffers(1, 2, 3, 4), writeModel }, 2);
    const path = await checkpoints.save(
      { progress: progress(4), buffers: buffers(5, 6, 7, 8), writeModel },
      2,
    );
    await rm(join(path, "config.json"));
    expect((await checkpoints.restoreLatest(buffers(0, 0, 0, 0), progress(0)))?.progress.step).toBe(3);
  });

  it("goes on from the best checkpoint where it is the newest one", async () => {
    const checkpoints = new CheckpointFolder(folder);
    const figure = { metric: "loss", value: 1 };
    await checkpoints.save({ progress: progress(3), buffers: buffers(1, 2, 3, 4), writeModel }, 2);
    const best = { progress: progress(4), buffers: buffers(5, 6, 7, 8), writeModel };
    const path = await checkpoints.saveBest(best, { step: 4, ...figure });
    // Killed while it was put into place.
    await rename(path, `${path}.partial`);
    const target = buffers(0, 0, 0, 0);
    expect((await checkpoints.restoreLatest(target, progress(0)))?.progress.step).toBe(4);
    expect([...target[0]!.data]).toEqual([5, 6, 7, 8]);
    expect((await readdir(folder)).sort()).toEqual(["best-4", "checkpoint-3"]);
    expect(await checkpoints.readBest("lower")).toEqual({ best: { step: 4, ...figure }, damaged: [] });
  });

  it("keeps one best checkpoint: the better of two that a kill left, none that is damaged", async () => {
    const checkpoints = new CheckpointFolder(folder);
    const save = (step: number, value: number) =>
      checkpoints.saveBest(
        { progress: progress(step), buffers: buffers(step, 0, 0, 0), writeModel },
        { step, metric: "loss", value },
      );
    const first = await save(3, 0.5);
    await rename(first, join(folder, "aside"));
    await save(4, 0.4);
    await rename(join(folder, "aside"), first);
    expect((await checkpoints.readBest("lower")).best).toEqual({ step: 4, metric: "loss", value: 0.4 });
    expect(await readdir(folder)).toEqual(["best-4"]);
    const file = join(folder, "best-4", "training", "best.json");
    await writeFile(file, (await readFile(file, "utf8")).replace("0.4", "0.1"));
    const { best, damaged } = await checkpoints.readBest("lower");
    expect(best).toBeUndefined();
    expect(damaged).toEqual([expect.stringContaining("best.json: was changed or damaged")]);
    expect(await readdir(folder)).toEqual(["best-4.damaged"]);
  });
});
