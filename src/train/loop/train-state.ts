/**
 * @file Checkpoints of a run: `checkpoint-STEP/` holds a model folder in the official layout and, in `training/`,
 * everything needed to go on; so does `best-STEP/`, which is the best by validation and not counted among the others.
 * A checkpoint states the SHA-256 of each of its files, so that it is known to be whole by what it holds, not by its
 * name: a process may be killed, and a folder half removed, at any moment.
 */
import { readdir, rename, rm } from "node:fs/promises";
import { join } from "node:path";
import { ConfigError, ModelFormatError, NextStepError } from "../../errors.ts";
import { openSafetensors, writeSafetensors } from "../../files/safetensors-files.ts";
import { syncFolder } from "../../files/sync-folder.ts";
import { tensorsToWrite } from "../../formats/tensor-source.ts";
import { float32Tensor, toFloat32 } from "../../tensor/tensor.ts";
import type { NamedBuffer } from "../optimizer/trainable.ts";
import { type BestFigure, readBestFigure, writeBestFigure } from "./best-figure.ts";
import { readSeal, sealCheckpoint, type TrainProgress } from "./checkpoint-seal.ts";
import { differences } from "./json-differences.ts";
import type { Judgement } from "./train-stage.ts";
import { replaceFolder, writeFolder } from "./written-folder.ts";

export interface RestoredRun {
  readonly progress: TrainProgress;
  /** Each changed setting, e.g. `steps: 100 before, 200 now`. */
  readonly changes: readonly string[];
  /** Each newer checkpoint that was passed over because it is damaged. */
  readonly damaged: readonly string[];
}

const TENSORS_FILE = join("training", "state.safetensors");
const BEST_FILE = join("training", "best.json");
/** Names of checkpoints, and of those on their way in or out: what they hold may be whole. */
const CHECKPOINT_NAME = /^((checkpoint|best)-(\d{1,12}))(\.(?:partial|replaced|removed))?$/;

/** A folder that may be a whole checkpoint. */
interface Candidate {
  readonly name: string;
  /** The name that it has when it is in its place. */
  readonly properName: string;
  readonly isBest: boolean;
  readonly step: number;
  readonly isTransient: boolean;
}

/** What a checkpoint is made of. */
export interface CheckpointContent {
  readonly progress: TrainProgress;
  readonly buffers: readonly NamedBuffer[];
  /** Writes the model folder, official layout, into the folder it is given. */
  readonly writeModel: (folder: string) => Promise<void>;
}

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

  /** Step of the newest checkpoint in its place, whole or not; 0 without one. Nothing is changed. */
  async newestStep(): Promise<number> {
    const inPlace = (await this.#candidates()).filter(({ isTransient }) => !isTransient);
    return inPlace[0]?.step ?? 0;
  }

  /** Steps of checkpoints that are kept, ascending. */
  async steps(): Promise<number[]> {
    const kept = (await this.#candidates()).filter(({ isTransient, isBest }) => !isTransient && !isBest);
    return kept.map(({ step }) => step).reverse();
  }

  /**
   * Writes a checkpoint and removes all but the newest `keep`. One of the same step is moved aside, and removed only
   * when the new one is in its place.
   * @returns its path.
   */
  async save(content: CheckpointContent, keep: number): Promise<string> {
    const final = this.checkpointPath(content.progress.step);
    await this.#write(final, content);
    for (const step of (await this.steps()).slice(0, -keep)) await this.#remove(`checkpoint-${step}`);
    return final;
  }

  /**
   * Writes a checkpoint as the best one, then removes the one that was the best before.
   * @param figure by which it is; a part of the checkpoint.
   * @returns its path.
   */
  async saveBest(content: CheckpointContent, figure: BestFigure): Promise<string> {
    const name = `best-${content.progress.step}`;
    await this.#write(join(this.path, name), content, figure);
    for (const old of await this.#candidates()) {
      if (old.isBest && !old.isTransient && old.name !== name) await this.#remove(old.name);
    }
    return join(this.path, name);
  }

  /**
   * The figure of the best checkpoint. A damaged one is set aside as `best-STEP.damaged`, and `damaged` says so.
   * @param better decides where a process was killed before it removed the one before.
   */
  async readBest(better: Judgement["better"]): Promise<{ best?: BestFigure; damaged: string[] }> {
    const found: { readonly name: string; readonly figure: BestFigure }[] = [];
    const damaged: string[] = [];
    for (const { name, isBest, isTransient } of await this.#candidates()) {
      if (!isBest || isTransient) continue;
      const path = join(this.path, name);
      try {
        await readSeal(path);
        found.push({ name, figure: await readBestFigure(join(path, BEST_FILE)) });
      } catch (error) {
        if (!(error instanceof NextStepError)) throw error;
        damaged.push(error.message);
        await replaceFolder(path, `${path}.damaged`);
      }
    }
    const sign = better === "lower" ? 1 : -1;
    const [best, ...others] = found.sort((a, b) => sign * (a.figure.value - b.figure.value));
    for (const { name } of others) await this.#remove(name);
    return { damaged, ...(best === undefined ? {} : { best: best.figure }) };
  }

  async #write(
    final: string,
    { progress, buffers, writeModel }: CheckpointContent,
    best?: BestFigure,
  ): Promise<void> {
    await writeFolder(final, async (partial) => {
      await writeModel(partial);
      const tensors = tensorsToWrite(
        buffers.map(({ name, shape, data }) => [name, float32Tensor(shape, data)] as const),
      );
      await writeSafetensors(join(partial, TENSORS_FILE), tensors);
      if (best !== undefined) await writeBestFigure(join(partial, BEST_FILE), best);
      await sealCheckpoint(partial, progress);
    });
  }

  /**
   * Reads the newest whole checkpoint into `buffers`, whatever its name: a process killed between two renames leaves a
   * whole one under another name. Damaged ones are set aside as `checkpoint-STEP.damaged`.
   * @param now the settings of this run.
   * @returns undefined when there is none.
   * @throws ConfigError when it was written with other settings (nothing is touched), ModelFormatError when there are
   * checkpoints, but none is whole, or its tensors are not this run's.
   */
  async restoreLatest(
    buffers: readonly NamedBuffer[],
    now: Pick<TrainProgress, "identity" | "adjustable">,
  ): Promise<RestoredRun | undefined> {
    const damaged: { readonly name: string; readonly reason: string }[] = [];
    for (const candidate of await this.#candidates()) {
      const folder = join(this.path, candidate.name);
      let progress: TrainProgress;
      try {
        progress = await readSeal(folder);
      } catch (error) {
        if (!(error instanceof NextStepError)) throw error;
        // Under a name of passage, a folder is half-written more often than not.
        if (!candidate.isTransient) damaged.push({ name: candidate.name, reason: error.message });
        continue;
      }
      const [difference] = differences(progress.identity, now.identity);
      if (difference !== undefined) {
        throw new ConfigError(`the run in this folder was started with another "${difference.path}"`, {
          where: folder,
          remedy: "choose another output folder, or restore the setting",
        });
      }
      await readBuffers(join(folder, TENSORS_FILE), buffers);
      for (const { name } of damaged)
        await replaceFolder(join(this.path, name), join(this.path, `${name}.damaged`));
      if (candidate.isTransient) {
        // The name is free: a damaged checkpoint of this step was set aside.
        await rename(folder, join(this.path, candidate.properName));
        await syncFolder(this.path);
      }
      await this.#removeTransient();
      const changes = differences(progress.adjustable, now.adjustable).map(
        ({ path, before, after }) => `${path}: ${before} before, ${after} now`,
      );
      return { progress, changes, damaged: damaged.map(({ reason }) => reason) };
    }
    const [newest] = damaged;
    if (newest !== undefined) {
      throw new ModelFormatError(
        `none of ${damaged.length} checkpoints is whole; the newest: ${newest.reason}`,
        {
          where: this.path,
          remedy: "remove this folder to train from the start, or choose another output folder",
        },
      );
    }
    await this.#removeTransient();
    return undefined;
  }

  /** Newest first; of one step, the one with its own name first. */
  async #candidates(): Promise<Candidate[]> {
    const names = await readdir(this.path).catch(() => []);
    return names
      .flatMap((name): Candidate[] => {
        const match = CHECKPOINT_NAME.exec(name);
        if (match === null) return [];
        const [, properName, kind, step, transient] = match;
        const isTransient = transient !== undefined;
        return [{ name, properName: properName!, isBest: kind === "best", step: Number(step), isTransient }];
      })
      .sort(
        (a, b) =>
          b.step - a.step ||
          Number(a.isTransient) - Number(b.isTransient) ||
          Number(a.isBest) - Number(b.isBest),
      );
  }

  async #removeTransient(): Promise<void> {
    for (const { name, isTransient } of await this.#candidates()) {
      if (isTransient) await rm(join(this.path, name), { recursive: true, force: true });
    }
  }

  async #remove(name: string): Promise<void> {
    const removed = join(this.path, `${name}.removed`);
    await rm(removed, { recursive: true, force: true });
    await rename(join(this.path, name), removed);
    await rm(removed, { recursive: true });
  }
}

/** The checkpoints of a run folder. */
export function checkpointsOf(runFolder: string): CheckpointFolder {
  return new CheckpointFolder(join(runFolder, "checkpoints"));
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
