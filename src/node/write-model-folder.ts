/** @file Writes a model folder in the official layout (docs/nextstep-spec.md 1.2): whole, or not at all. */
import { randomBytes } from "node:crypto";
import { mkdir, readdir, rename, rm } from "node:fs/promises";
import { basename, dirname, join, resolve } from "node:path";
import type { ModelFolder } from "../checkpoint/model-folder.ts";
import { InputError } from "../errors.ts";
import { makeFolder } from "../files/make-folder.ts";
import { partialName } from "../files/partial-name.ts";
import { replaceFile, replaceText } from "../files/replacement-file.ts";
import { writeSafetensors, writeShardedSafetensors } from "../files/safetensors-files.ts";
import { syncFolder } from "../files/sync-folder.ts";
import { writeTorchArchive } from "../files/torch-archive-file.ts";
import { hasCode, writeFailure } from "../files/write-failure.ts";
import type { FileFolder } from "../formats/file-folder.ts";
import { AUTOENCODER_FILES, TOKENIZER_FILES } from "../formats/model-file-names.ts";
import { SINGLE_FILE } from "../formats/safetensors-set.ts";
import type { TensorToWrite } from "../formats/tensor-source.ts";
import { NEXTSTEP_FILE } from "../generate/default-settings.ts";
import { byteLength } from "../tensor/shape.ts";

/** Shards of the published checkpoints. */
const DEFAULT_SHARD_BYTES = 5_000_000_000;

/** Bytes copied at a time. */
const COPIED_BYTES = 16 * 1024 * 1024;

export interface AutoencoderToWrite {
  /** Content of vae/config.json. */
  readonly configJson: unknown;
  readonly tensors: readonly TensorToWrite[];
  /** `checkpoint.pt` (published, default) or a safetensors file. */
  readonly weightFile?: string;
}

export interface ModelFolderToWrite {
  /** Content of config.json. */
  readonly configJson: unknown;
  /** Under official names, in the order of the file. */
  readonly tensors: readonly TensorToWrite[];
  /** Folder whose tokenizer files are copied. */
  readonly tokenizer?: FileFolder;
  /** Folder whose settings (nextstep.json) are copied, where it has some. */
  readonly settings?: FileFolder;
  /** Content of nextstep.json, in place of a folder's. */
  readonly settingsJson?: object;
  readonly autoencoder?: AutoencoderToWrite;
  /** More bytes than this go to shards with an index. Default 5 GB, as published. */
  readonly maxShardBytes?: number;
}

/**
 * Writes the folder `target`, one tensor in memory at a time. Everything goes to a temporary folder beside it, which
 * is renamed when it is complete and on disk.
 * @throws InputError if `target` exists already.
 */
export async function writeModelFolder(target: string, content: ModelFolderToWrite): Promise<void> {
  await writeNewFolder(target, async (folder) => {
    await writeWeights(folder, content);
    const { tokenizer, settings, settingsJson, autoencoder } = content;
    if (tokenizer !== undefined) await copyMembers(tokenizer, TOKENIZER_FILES, folder);
    if (settings !== undefined) await copyMembers(settings, [NEXTSTEP_FILE], folder);
    if (settingsJson !== undefined) await writeJson(join(folder, NEXTSTEP_FILE), settingsJson);
    if (autoencoder !== undefined) await writeAutoencoder(join(folder, "vae"), autoencoder);
    // Last, because a folder without it is no model.
    await writeJson(join(folder, "config.json"), content.configJson);
  });
}

/** What an open folder holds, to be written again as it is. It must stay open meanwhile. */
export function contentsOf(folder: ModelFolder): ModelFolderToWrite {
  const { autoencoder } = folder;
  return {
    configJson: folder.configJson,
    tensors: folder.tensors.toWrite(),
    tokenizer: folder.files,
    ...(autoencoder === undefined
      ? {}
      : {
          autoencoder: {
            configJson: autoencoder.configJson,
            tensors: autoencoder.tensors.toWrite(),
            weightFile: autoencoder.weightFile,
          },
        }),
  };
}

async function writeNewFolder(target: string, fill: (folder: string) => Promise<void>): Promise<void> {
  const path = resolve(target);
  const parent = dirname(path);
  const temporary = join(parent, partialName(basename(path), randomBytes(6).toString("hex")));
  try {
    await makeFolder(parent);
    await refuseExisting(path);
    await mkdir(temporary);
    await fill(temporary);
    await refuseExisting(path);
    await rename(temporary, path);
    await syncFolder(parent);
  } catch (error) {
    await rm(temporary, { recursive: true, force: true });
    throw writeFailure(error, path);
  }
}

async function refuseExisting(path: string): Promise<void> {
  const names = await readdir(path).catch((error: unknown) => {
    if (hasCode(error, "ENOENT")) return undefined;
    throw new InputError("is in the way", { where: path, cause: error, remedy: "name a new folder" });
  });
  // Renaming over an empty folder is harmless, and a caller may have made it.
  if (names !== undefined && names.length > 0) {
    throw new InputError("exists already", { where: path, remedy: "name a new folder" });
  }
}

async function writeWeights(folder: string, content: ModelFolderToWrite): Promise<void> {
  const { tensors, maxShardBytes = DEFAULT_SHARD_BYTES } = content;
  // Loaders of the reference library look for this entry.
  const metadata = new Map([["format", "pt"]]);
  const bytes = tensors.reduce((sum, { dtype, shape }) => sum + byteLength(dtype, shape), 0);
  if (bytes <= maxShardBytes) await writeSafetensors(join(folder, SINGLE_FILE), tensors, metadata);
  else await writeShardedSafetensors(folder, tensors, { maxShardBytes, metadata });
}

async function writeAutoencoder(folder: string, content: AutoencoderToWrite): Promise<void> {
  const { weightFile = AUTOENCODER_FILES[0] } = content;
  await mkdir(folder, { recursive: true });
  const path = join(folder, weightFile);
  if (weightFile.endsWith(".pt")) await writeTorchArchive(path, content.tensors);
  else await writeSafetensors(path, content.tensors, new Map([["format", "pt"]]));
  await writeJson(join(folder, "config.json"), content.configJson);
}

/** Those of the files that are there. */
async function copyMembers(from: FileFolder, names: readonly string[], to: string): Promise<void> {
  for (const name of names) {
    if (await from.has(name)) await copyMember(from, name, join(to, name));
  }
}

/** Copies a file of a folder, in pieces. It appears whole or not at all. */
export async function copyMember(from: FileFolder, name: string, to: string): Promise<void> {
  const source = await from.open(name);
  try {
    await replaceFile(to, async (file) => {
      while (file.position < source.byteLength) {
        const bytes = Math.min(COPIED_BYTES, source.byteLength - file.position);
        await file.write(await source.read(file.position, bytes));
      }
    });
  } finally {
    await source.close();
  }
}

async function writeJson(path: string, content: unknown): Promise<void> {
  const text = `${JSON.stringify(content, null, 2)}\n`;
  await replaceText(path, text);
}
