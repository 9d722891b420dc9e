/**
 * @file Checkpoints of a run: `checkpoint-STEP/` holds a model folder in the official layout and, in `training/`,
 * everything needed to go on. A checkpoint is written under a temporary name and renamed, so one that has its name is
 * whole, whenever the process was killed.
 */
import { mkdir, readdir, readFile, rename, rm } from "node:fs/promises";
import { join } from "node:path";
import { z } from "zod";
import { ConfigError, ModelFormatError } from "../../errors.ts";
import { replaceFile } from "../../files/replacement-file.ts";
import { openSafetensors, writeSafetensors } from "../../files/safetensors-files.ts";
import { syncFolder } from "../../files/sync-folder.ts";
import { tensorsToWrite } from "../../formats/tensor-source.ts";
import { float32Tensor, toFloat32 } from "../../tensor/tensor.ts";
import type { NamedBuffer } from "../optimizer/trainable.ts";
import type { JsonValue } from "../plain-json.ts";

/** Counters of a run. */
export interface TrainProgress {
  /** Updates done. */
  readonly step: number;
  /** Pictures trained on so far. */
  readonly images: number;
  /** Settings that decide the result; a run is only continued with the same. */
  readonly identity: JsonValue;
  /** What the stage itself must remember, e.g. its position in the data. */
  readonly stage: JsonValue;
}

const TENSORS_FILE = join("training", "state.safetensors");
const STATE_FILE = join("training", "state.json");
const CHECKPOINT_NAME = /^checkpoint-(\d{1,12})$/;

const progressSchema = z.strictObject({
  step: z.int().min(0),
  images: z.int().min(0),
  identity: z.json(),
  stage: z.json(),
});

/** The checkpoints of one folder. */
export class CheckpointFolder {
  readonly path: string;

  constructor(path: string) {
    this.path = path;
  }

  /** Path of a checkpoint that is kept. */
  checkpointPath(step: number): string {
    return join(this.path, `checkpoint-${step}`);
  }

  /** Steps of whole checkpoints, ascending. */
  async steps(): Promise<number[]> {
    const names = await readdir(this.path).catch(() => []);
    return names
      .flatMap((name) => CHECKPOINT_NAME.exec(name)?.[1] ?? [])
      .map(Number)
      .sort((a, b) => a - b);
  }

  /**
   * Writes a checkpoint and removes all but the newest `keep`.
   * @param writeModel writes the model folder, official layout, into the folder it is given.
   * @returns its path.
   */
  async save(
    progress: TrainProgress,
    buffers: readonly NamedBuffer[],
    keep: number,
    writeModel: (folder: string) => Promise<void>,
  ): Promise<string> {
    const final = this.checkpointPath(progress.step);
    const partial = `${final}.partial`;
    await rm(partial, { recursive: true, force: true });
    await mkdir(join(partial, "training"), { recursive: true });
    await writeModel(partial);
    const tensors = tensorsToWrite(
      buffers.map(({ name, shape, data }) => [name, float32Tensor(shape, data)] as const),
    );
    await writeSafetensors(join(partial, TENSORS_FILE), tensors);
    const text = `${JSON.stringify(progress, undefined, 2)}\n`;
    await replaceFile(join(partial, STATE_FILE), (file) => file.write(new TextEncoder().encode(text)));
    await rm(final, { recursive: true, force: true });
    await rename(partial, final);
    await syncFolder(this.path);
    await this.removeOld(keep);
    return final;
  }

  /** Removes what a killed run left half-written. */
  async removePartial(): Promise<void> {
    for (const name of await readdir(this.path).catch(() => [])) {
      if (/^checkpoint-\d+\.partial$/.test(name)) await rm(join(this.path, name), { recursive: true });
    }
  }

  /**
   * Reads the newest checkpoint into `buffers`.
   * @param identity the settings of this run.
   * @returns its counters, or undefined when there is none.
   * @throws ConfigError when it was written with other settings, ModelFormatError when its files are not what they
   * should be.
   */
  async restoreLatest(
    buffers: readonly NamedBuffer[],
    identity: JsonValue,
  ): Promise<TrainProgress | undefined> {
    const step = (await this.steps()).at(-1);
    if (step === undefined) return undefined;
    const folder = this.checkpointPath(step);
    const progress = await readProgress(join(folder, STATE_FILE));
    const difference = firstDifference(progress.identity, identity, "");
    if (difference !== undefined) {
      throw new ConfigError(`the run in this folder was started with another "${difference}"`, {
        where: folder,
        remedy: "choose another output folder, or restore the setting",
      });
    }
    await readBuffers(join(folder, TENSORS_FILE), buffers);
    return progress;
  }

  /** The newest `keep` stay. */
  private async removeOld(keep: number): Promise<void> {
    for (const step of (await this.steps()).slice(0, -keep)) {
      // Renamed first, so that no half-removed checkpoint is ever taken for a whole one.
      const partial = `${this.checkpointPath(step)}.partial`;
      await rename(this.checkpointPath(step), partial);
      await rm(partial, { recursive: true });
    }
  }
}

async function readProgress(path: string): Promise<TrainProgress> {
  try {
    return progressSchema.parse(JSON.parse(await readFile(path, "utf8")));
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message.split("\n")[0] : String(cause);
    throw new ModelFormatError(`is no training state: ${reason}`, {
      where: path,
      remedy: "remove this checkpoint folder to go on from the one before",
      cause,
    });
  }
}

async function readBuffers(path: string, buffers: readonly NamedBuffer[]): Promise<void> {
  const file = await openSafetensors(path);
  try {
    if (file.tensors.size !== buffers.length) {
      throw new ModelFormatError(`holds ${file.tensors.size} tensors, expected ${buffers.length}`, {
        where: path,
      });
    }
    for (const { name, shape, data } of buffers) {
      const stored = await file.readTensor(name);
      if (stored.dtype !== "float32" || stored.shape.join() !== shape.join()) {
        throw new ModelFormatError(`"${name}" is ${stored.dtype} [${stored.shape}], expected [${shape}]`, {
          where: path,
        });
      }
      data.set(toFloat32(stored));
    }
  } finally {
    await file.close();
  }
}

function isRecord(value: JsonValue): value is { readonly [key: string]: JsonValue } {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** Path of the first field in which two JSON values differ. */
function firstDifference(a: JsonValue, b: JsonValue, path: string): string | undefined {
  if (isRecord(a) && isRecord(b)) {
    for (const key of new Set([...Object.keys(a), ...Object.keys(b)])) {
      const found = firstDifference(a[key] ?? null, b[key] ?? null, path === "" ? key : `${path}.${key}`);
      if (found !== undefined) return found;
    }
    return undefined;
  }
  return JSON.stringify(a) === JSON.stringify(b) ? undefined : path;
}
