/** @file A tiny model that is made to think a known thought: each token of a chain makes the next one likeliest. */
import { cp } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { LocalFolder } from "../../src/files/local-folder.ts";
import { openSafetensors, writeSafetensors } from "../../src/files/safetensors-files.ts";
import { loadTokenizer } from "../../src/sequence/tokenizer.ts";
import { float32Tensor, toFloat32 } from "../../src/tensor/tensor.ts";
import { copyTensors } from "./copy-tensors.ts";

const SOURCE = fileURLToPath(new URL("../parity/models/v1", import.meta.url));
/** How far a token's own direction outweighs the rest of its embedding, which is random and about 1 in length. */
const LOUD = 30;
/** What is left of what layers add: enough that a picture depends on all of its prompt. */
const LEFT = 0.2;

/**
 * Writes a copy of a parity model whose language head follows `chain`. Its first token comes behind every token that is
 * not in the chain; its last is followed by the first again.
 * @param chain tokens by name, each of them one token; a token that comes again closes a circle
 */
export async function writeThinkingModel(out: string, chain: readonly string[]): Promise<void> {
  await cp(SOURCE, out, { recursive: true, filter: (path) => !/model.*\.safetensors/.test(path) });
  const tokenizer = await loadTokenizer(new LocalFolder(SOURCE));
  const ids = chain.map((token) => {
    const [id, ...more] = tokenizer.encode(token);
    if (id === undefined || more.length > 0) throw new Error(`${token} is not one token`);
    return id;
  });
  const file = await openSafetensors(SOURCE);
  const [rows = 0, width = 0] = file.tensors.get("embed_tokens.weight")?.shape ?? [];
  if (ids.length >= width) throw new Error(`a chain of ${ids.length} in ${width} dimensions`);
  const embedding = toFloat32(await file.readTensor("embed_tokens.weight"));
  const head = new Float32Array(rows * width);
  for (let id = 0; id < rows; id++) {
    const place = ids.lastIndexOf(id);
    embedding[id * width + place + 1] = LOUD;
  }
  ids.forEach((id, place) => {
    head[id * width + (place === 0 ? 0 : ids.lastIndexOf(ids[place - 1] as number) + 1)] = 1;
  });
  const changed = copyTensors(file).map((tensor) => {
    const { name, shape } = tensor;
    const replaced =
      name === "embed_tokens.weight" ? embedding : name === "lm_head.weight" ? head : undefined;
    const quieted = /\.(o_proj|down_proj)\.weight$/.test(name);
    if (replaced === undefined && !quieted) return tensor;
    const load = async () => {
      const data = replaced ?? toFloat32(await file.readTensor(name)).map((value) => value * LEFT);
      return float32Tensor(shape, data);
    };
    return { name, dtype: "float32" as const, shape, load };
  });
  await writeSafetensors(join(out, "model.safetensors"), changed);
  await file.close();
}
