/**
 * @file Tells whether two folders hold the same model without reading all of it: a digest of configurations, tokenizer
 * and, of each weight file, its length, its header and samples of its bytes. Training changes nearly every number of every
 * tensor, so that models which differ in their weights alone differ in the samples too.
 */
import type { ByteSource } from "../formats/byte-source.ts";
import type { FileFolder } from "../formats/file-folder.ts";
import { weightFiles } from "../formats/safetensors-set.ts";
import { joinedBytes } from "../tensor/joined.ts";
import type { ModelFolder } from "./model-folder.ts";

/** Files that are read whole, where they are there: what decides how text and weights are read. */
const WHOLE_FILES = [
  "config.json",
  "tokenizer.json",
  "vocab.json",
  "merges.txt",
  "added_tokens.json",
  "tokenizer_config.json",
  "special_tokens_map.json",
] as const;
/** Tokenizers of published models have 7 MB; of what is longer, samples are read. */
const MAX_WHOLE_BYTES = 16 * 1024 * 1024;
/** Headers of published shards take less. */
const HEAD_BYTES = 256 * 1024;
const SAMPLES = 16;
const SAMPLE_BYTES = 4096;

/** SHA-256 in hexadecimal digits. */
type Sha256 = (bytes: Uint8Array) => Promise<string>;

/** A digest of the model, the same wherever its folder lies and whatever that is called. */
export async function modelDigest(folder: ModelFolder, sha256: Sha256): Promise<string> {
  const { files, autoencoder } = folder;
  const lines: string[] = [];
  const add = async (
    part: string,
    from: FileFolder,
    names: readonly string[],
    whole: boolean,
  ): Promise<void> => {
    for (const name of names) {
      if (await from.has(name)) lines.push(`${part} ${name} ${await fileDigest(from, name, whole, sha256)}`);
    }
  };
  await add("model", files, WHOLE_FILES, true);
  await add("model", files, await weightFiles(files), false);
  if (autoencoder !== undefined) {
    await add("autoencoder", autoencoder.files, ["config.json"], true);
    await add("autoencoder", autoencoder.files, [autoencoder.weightFile], false);
  }
  return sha256(new TextEncoder().encode(lines.join("\n")));
}

async function fileDigest(folder: FileFolder, name: string, whole: boolean, sha256: Sha256): Promise<string> {
  const source = await folder.open(name);
  try {
    const { byteLength } = source;
    if (whole && byteLength <= MAX_WHOLE_BYTES) return await sha256(await source.read(0, byteLength));
    return await sha256(await sampled(source));
  } finally {
    await source.close();
  }
}

/** Length, beginning, and samples spread evenly to the end. */
async function sampled(source: ByteSource): Promise<Uint8Array> {
  const { byteLength } = source;
  const head = await source.read(0, Math.min(HEAD_BYTES, byteLength));
  const last = Math.max(0, byteLength - SAMPLE_BYTES);
  const samples = await Promise.all(
    Array.from({ length: SAMPLES }, (_, index) =>
      source.read(Math.floor((last * index) / (SAMPLES - 1)), Math.min(SAMPLE_BYTES, byteLength)),
    ),
  );
  const length = new TextEncoder().encode(`${byteLength}\n`);
  return joinedBytes([length, head, ...samples]);
}
