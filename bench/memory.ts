/** @file Memory that binding a checkpoint takes at most, for both published float types, and that drawings take. */
import { measureResidentMemory, memoryLimit, type ResidentMemory } from "../test/memory/resident-memory.ts";
import { type EstimateRow, measureEstimates } from "./memory-estimates.ts";

export interface MemoryMeasurement {
  readonly name: string;
  /** By type; in bytes. `limit` is what binding may take. */
  readonly checkpoints: Readonly<Record<string, ResidentMemory & { readonly limit: number }>>;
  /** Drawings with a model, in MiB. */
  readonly drawings: readonly EstimateRow[];
}

export interface MemorySizes {
  /** Of each checkpoint; 0 for none. */
  readonly bytes: number;
  /** Folder of the model that draws. */
  readonly model: string;
  /** 0: all processors. */
  readonly threads: number;
}

export async function benchMemory({ bytes, model, threads }: MemorySizes): Promise<MemoryMeasurement> {
  const checkpoints: Record<string, ResidentMemory & { limit: number }> = {};
  for (const dtype of bytes > 0 ? (["BF16", "F32"] as const) : []) {
    const measured = await measureResidentMemory(dtype, bytes);
    checkpoints[dtype] = { ...measured, limit: memoryLimit(measured.bound) };
  }
  return { name: "memory", checkpoints, drawings: await measureEstimates(model, threads) };
}
