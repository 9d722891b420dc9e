/** @file The SHA-256 of weights that a run depends on, with the configuration that they are read by. */
import { createHash } from "node:crypto";
import type { ModelFolder } from "../../checkpoint/model-folder.ts";

/** @param most stored bytes of a weight up to which its values enter; of larger ones only name, type and shape do. */
export async function digestWeights(
  configJson: unknown,
  tensors: ModelFolder["tensors"],
  most = Number.POSITIVE_INFINITY,
): Promise<string> {
  const hash = createHash("sha256").update(JSON.stringify(configJson));
  for (const name of [...tensors.entries.keys()].sort()) {
    const { shape, dtype } = tensors.entries.get(name)!;
    hash.update(JSON.stringify([name, dtype, shape]));
    if (8 * shape.reduce((a, b) => a * b, 1) > most) continue;
    const { data } = await tensors.readStored(name);
    hash.update(new Uint8Array(data.buffer, data.byteOffset, data.byteLength));
  }
  return hash.digest("hex");
}
