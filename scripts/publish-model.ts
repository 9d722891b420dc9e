/**
 * @file `npx tsx scripts/publish-model.ts FOLDER`: puts a trained model into the package at half precision. Weights,
 * configuration and tokenizer files are replaced; the model card and nextstep.json stay.
 */
import { cp, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { convertTensors } from "../src/checkpoint/convert-dtype.ts";
import { openModelFolder } from "../src/checkpoint/model-folder.ts";
import { LocalFolder } from "../src/files/local-folder.ts";
import { contentsOf, writeModelFolder } from "../src/node/write-model-folder.ts";

const [source] = process.argv.slice(2);
if (source === undefined) throw new RangeError("name the folder of a trained model");
const target = fileURLToPath(new URL("../models/default", import.meta.url));
const work = await mkdtemp(join(tmpdir(), "nextstep-publish-"));
try {
  await using folder = await openModelFolder(new LocalFolder(source));
  const { autoencoder, tensors, ...content } = contentsOf(folder);
  if (autoencoder === undefined) throw new RangeError(`${source} has no autoencoder`);
  const halves = { ...autoencoder, tensors: convertTensors(autoencoder.tensors, "float16") };
  const written = join(work, "model");
  await writeModelFolder(written, {
    ...content,
    tensors: convertTensors(tensors, "float16"),
    autoencoder: halves,
  });
  await cp(written, target, { recursive: true });
} finally {
  await rm(work, { recursive: true, force: true });
}
