/** @file How much memory binding a checkpoint takes at most, measured in a process of its own (Linux). */
import { execFile } from "node:child_process";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { type FloatType, WIDTH, writeCheckpoint } from "./synthetic-checkpoint.ts";

export interface ResidentMemory {
  /** Of all weights in float32, as the engine computes with them. In bytes, as is the peak. */
  readonly bound: number;
  readonly peak: number;
}

/** Writes a checkpoint of about `bytes` bytes and binds it. */
export async function measureResidentMemory(dtype: FloatType, bytes: number): Promise<ResidentMemory> {
  const folder = await mkdtemp(join(tmpdir(), "resident-"));
  try {
    const path = join(folder, "model.safetensors");
    const count = await writeCheckpoint(path, dtype, bytes);
    const child = fileURLToPath(new URL("./open-checkpoint.ts", import.meta.url));
    const flags = ["--import", "tsx", child, path, String(count)];
    const { stdout } = await promisify(execFile)(process.execPath, flags);
    return { bound: count * WIDTH * WIDTH * 4, peak: Number(stdout) };
  } finally {
    await rm(folder, { recursive: true });
  }
}

/** What binding may take: the bound weights once, something for what is on the way, and the process itself. */
export function memoryLimit(bound: number): number {
  return 1.15 * bound + 200e6;
}
