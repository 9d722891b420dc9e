import { describe, expect, it } from "vitest";
import { measureResidentMemory, memoryLimit } from "./resident-memory.ts";

describe.skipIf(process.platform !== "linux")("binding a checkpoint", () => {
  it.each(["BF16", "F32"] as const)("of %s holds no weight twice", async (dtype) => {
    const { bound, peak } = await measureResidentMemory(dtype, 300e6);
    expect(peak).toBeGreaterThan(bound);
    expect(peak).toBeLessThanOrEqual(memoryLimit(bound));
  });
});
