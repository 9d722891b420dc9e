/** @file A safetensors file of any size: square matrices, each of other bytes, so that none can be shared. */
import { randomFillSync } from "node:crypto";
import { open } from "node:fs/promises";

/** Width of the matrices. */
export const WIDTH = 2048;

export type FloatType = "BF16" | "F32";

const BYTES: Readonly<Record<FloatType, 2 | 4>> = { BF16: 2, F32: 4 };

/** Writes about `bytes` bytes as `layers.0.weight`, ... and returns how many there are. */
export async function writeCheckpoint(path: string, dtype: FloatType, bytes: number): Promise<number> {
  const each = WIDTH * WIDTH * BYTES[dtype];
  const count = Math.max(1, Math.round(bytes / each));
  const header: Record<string, object> = {};
  for (let layer = 0; layer < count; layer++) {
    const data_offsets = [layer * each, (layer + 1) * each];
    header[`layers.${layer}.weight`] = { dtype, shape: [WIDTH, WIDTH], data_offsets };
  }
  const text = JSON.stringify(header);
  const json = new TextEncoder().encode(text.padEnd(Math.ceil(text.length / 8) * 8));
  const length = new DataView(new ArrayBuffer(8));
  length.setBigUint64(0, BigInt(json.byteLength), true);
  const file = await open(path, "w");
  try {
    await file.write(new Uint8Array(length.buffer));
    await file.write(json);
    const bits = new Uint16Array(each / 2);
    for (let layer = 0; layer < count; layer++) {
      randomFillSync(bits);
      // The upper half of each number: any sign, between 2^-7 and 2^-6.
      const step = BYTES[dtype] / 2;
      for (let i = step - 1; i < bits.length; i += step) bits[i] = ((bits[i] as number) & 0x807f) | 0x3c00;
      await file.write(new Uint8Array(bits.buffer));
    }
  } finally {
    await file.close();
  }
  return count;
}
