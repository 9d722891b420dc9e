/** @file The seal of a checkpoint: its counters and the SHA-256 of every file, in `training/state.json`. */
import { createHash } from "node:crypto";
import { readdir, readFile } from "node:fs/promises";
import { join, relative, sep } from "node:path";
import { z } from "zod";
import { ModelFormatError } from "../../errors.ts";
import { digestFile } from "../../files/file-digest.ts";
import { replaceText } from "../../files/replacement-file.ts";
import { type JsonValue, plainJson } from "../plain-json.ts";

/** Counters of a run. */
export interface TrainProgress {
  /** Updates done. */
  readonly step: number;
  /** Pictures trained on so far. */
  readonly images: number;
  /** Settings and inputs that decide the result; a run is only continued with the same. */
  readonly identity: JsonValue;
  /** Settings that may be changed when a run is continued; every change is told. */
  readonly adjustable: JsonValue;
  /** What the stage itself must remember, e.g. its position in the data. */
  readonly stage: JsonValue;
}

const STATE_FILE = "training/state.json";

const sealSchema = z.strictObject({
  progress: z.strictObject({
    step: z.int().min(0),
    images: z.int().min(0),
    identity: z.json(),
    adjustable: z.json(),
    stage: z.json(),
  }),
  /** SHA-256 of each other file of the checkpoint, by path. */
  files: z.record(z.string(), z.string()),
});
/** The digest is over the compact JSON of the rest. */
const stateSchema = z.strictObject({ ...sealSchema.shape, sha256: z.string() });

/** Writes the seal of the files that a folder holds. */
export async function sealCheckpoint(folder: string, progress: TrainProgress): Promise<void> {
  const files: Record<string, string> = {};
  for (const name of await filesOf(folder)) {
    if (name !== STATE_FILE) files[name] = await digestFile(join(folder, name));
  }
  const seal = sealSchema.parse(plainJson({ progress, files }));
  const text = JSON.stringify({ ...seal, sha256: digestText(JSON.stringify(seal)) }, undefined, 2);
  await replaceText(join(folder, STATE_FILE), `${text}\n`);
}

/**
 * Reads the counters of a checkpoint after checking that all of its files are as they were written.
 * @throws ModelFormatError naming the file that is missing or changed.
 */
export async function readSeal(folder: string): Promise<TrainProgress> {
  const path = join(folder, STATE_FILE);
  let state: z.infer<typeof stateSchema>;
  try {
    state = stateSchema.parse(JSON.parse(await readFile(path, "utf8")));
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message.split("\n")[0] : String(cause);
    throw new ModelFormatError(`is no training state: ${reason}`, { where: path, cause });
  }
  const { sha256, ...seal } = state;
  if (digestText(JSON.stringify(sealSchema.parse(seal))) !== sha256) {
    throw new ModelFormatError("was changed or damaged since it was written", { where: path });
  }
  for (const [name, expected] of Object.entries(seal.files)) {
    const file = join(folder, name);
    const digest = await digestFile(file).catch((cause: unknown) => {
      const reason = cause instanceof Error ? cause.message : String(cause);
      throw new ModelFormatError(`cannot be read: ${reason}`, { where: file, cause });
    });
    if (digest !== expected) {
      throw new ModelFormatError("was changed or damaged since it was written", { where: file });
    }
  }
  return seal.progress;
}

/** Paths of all files below a folder, in order, with "/" on every system. */
async function filesOf(folder: string): Promise<string[]> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true });
  return entries
    .filter((entry) => entry.isFile())
    .map((entry) => relative(folder, join(entry.parentPath, entry.name)).split(sep).join("/"))
    .sort();
}

function digestText(text: string): string {
  return createHash("sha256").update(text).digest("hex");
}
