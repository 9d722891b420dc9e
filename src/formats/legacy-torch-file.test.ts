/** @file Weight files from before torch's zip archives, and what must be refused. */
import { describe, expect, it } from "vitest";
import { ModelFormatError, NextStepError, UnsupportedError } from "../errors.ts";
import { MemorySource } from "./byte-source.ts";
import { LegacyTorchFile } from "./legacy-torch-file.ts";
import { legacyTorchBytes } from "./test-legacy-torch.ts";

const read = (bytes: Uint8Array) => LegacyTorchFile.read(new MemorySource(bytes, "net.pth"));
const tensors = {
  a: { shape: [2, 3], data: [1, 2, 3, 4, 5, 6] },
  // Column by column.
  b: { shape: [2, 3], data: [1, 2, 3, 4, 5, 6], strides: [1, 2] },
};

describe("LegacyTorchFile", () => {
  it("reads tensors in row-major order, however they lie", async () => {
    const file = await read(legacyTorchBytes(tensors));
    expect([...file.tensors.keys()]).toEqual(["a", "b"]);
    for (const name of ["a", "b"]) {
      const tensor = await file.readTensor(name);
      expect(tensor.shape).toEqual([2, 3]);
      expect([...tensor.data]).toEqual([1, 2, 3, 4, 5, 6]);
    }
    await expect(file.readTensor("c")).rejects.toThrow(ModelFormatError);
    await file.close();
  });

  it("refuses other files, versions and byte orders", async () => {
    await expect(read(Uint8Array.from([1, 2, 3]))).rejects.toThrow(/no file of torch.save/);
    await expect(read(legacyTorchBytes(tensors, { version: 1002 }))).rejects.toThrow(UnsupportedError);
    await expect(read(legacyTorchBytes(tensors, { littleEndian: false }))).rejects.toThrow(UnsupportedError);
  });

  it("refuses what ends too early, anywhere", async () => {
    const bytes = legacyTorchBytes(tensors);
    for (let length = 0; length < bytes.length; length += 7) {
      await expect(read(bytes.slice(0, length)), `${length} bytes`).rejects.toThrow(NextStepError);
    }
  });

  it("refuses a storage that claims more than the file", async () => {
    const bytes = legacyTorchBytes(tensors);
    // The count of the last storage stands before its 24 bytes.
    bytes[bytes.length - 24 - 4] = 1;
    await expect(read(bytes)).rejects.toThrow(/larger than the file/);
  });
});
