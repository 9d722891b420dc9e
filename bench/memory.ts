/** @file Memory that binding a checkpoint takes at most, for both published float types. */
import { measureResidentMemory, memoryLimit, type ResidentMemory } from "../test/memory/resident-memory.ts";

export interface MemoryMeasurement {
  readonly name: string;
  /** By type; in bytes. `limit` is what binding may take. */
  readonly checkpoints: Readonly<Record<string, ResidentMemory & { readonly limit: number }>>;
}

/** @param bytes of each checkpoint. */
export async function benchMemory(bytes: number): Promise<MemoryMeasurement> {
  const checkpoints: Record<string, ResidentMemory & { limit: number }> = {};
  for (const dtype of ["BF16", "F32"] as const) {
    const measured = await measureResidentMemory(dtype, bytes);
    checkpoints[dtype] = { ...measured, limit: memoryLimit(measured.bound) };
  }
  return { name: "memory", checkpoints };
}
