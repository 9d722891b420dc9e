import { describe, expect, it } from "vitest";
import { type GgufValue, ggmlBytes, layOutGguf } from "./gguf-layout.ts";

/** Reads bytes from the front, lowest byte first. */
class Reader {
  readonly #view: DataView;
  position = 0;

  constructor(bytes: Uint8Array) {
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }

  uint32(): number {
    this.position += 4;
    return this.#view.getUint32(this.position - 4, true);
  }

  uint64(): number {
    this.position += 8;
    return Number(this.#view.getBigUint64(this.position - 8, true));
  }

  float32(): number {
    this.position += 4;
    return this.#view.getFloat32(this.position - 4, true);
  }

  text(length = this.uint64()): string {
    const start = this.#view.byteOffset + this.position;
    this.position += length;
    return new TextDecoder().decode(this.#view.buffer.slice(start, start + length) as ArrayBuffer);
  }
}

describe("layOutGguf", () => {
  const metadata = new Map<string, GgufValue>([
    ["general.architecture", { type: "string", value: "qwen2" }],
    ["qwen2.block_count", { type: "uint32", value: 4 }],
    ["qwen2.rope.freq_base", { type: "float32", value: 1e6 }],
    ["tokenizer.ggml.tokens", { type: "strings", value: ["a", "é"] }],
  ]);
  const tensors = [
    { name: "bias", type: "F32", shape: [3] },
    { name: "q", type: "Q4_0", shape: [2, 64] },
    { name: "k", type: "Q4_K", shape: [3, 512] },
  ] as const;
  const layout = layOutGguf(metadata, tensors);

  it("writes what the format says, byte by byte", () => {
    const reader = new Reader(layout.header);
    expect(reader.text(4)).toBe("GGUF");
    expect([reader.uint32(), reader.uint64(), reader.uint64()]).toEqual([3, 3, 4]);
    expect([reader.text(), reader.uint32(), reader.text()]).toEqual(["general.architecture", 8, "qwen2"]);
    expect([reader.text(), reader.uint32(), reader.uint32()]).toEqual(["qwen2.block_count", 4, 4]);
    expect([reader.text(), reader.uint32(), reader.float32()]).toEqual(["qwen2.rope.freq_base", 6, 1e6]);
    // An array, of strings, two.
    expect([reader.text(), reader.uint32()]).toEqual(["tokenizer.ggml.tokens", 9]);
    expect([reader.uint32(), reader.uint64(), reader.text(), reader.text()]).toEqual([8, 2, "a", "é"]);
    // Name, axes with the innermost first, type, place.
    expect([reader.text(), reader.uint32(), reader.uint64()]).toEqual(["bias", 1, 3]);
    expect([reader.uint32(), reader.uint64()]).toEqual([0, 0]);
    expect([reader.text(), reader.uint32(), reader.uint64(), reader.uint64()]).toEqual(["q", 2, 64, 2]);
    expect([reader.uint32(), reader.uint64()]).toEqual([2, 32]);
    expect([reader.text(), reader.uint32(), reader.uint64(), reader.uint64()]).toEqual(["k", 2, 512, 3]);
    // The four blocks of q are 72 bytes: from 32 to 104.
    expect([reader.uint32(), reader.uint64()]).toEqual([12, 128]);
    expect([...layout.header.subarray(reader.position)].every((byte) => byte === 0)).toBe(true);
    expect(layout.header.byteLength - reader.position).toBeLessThan(32);
  });

  it("starts each tensor at a multiple of 32 bytes and ends behind the last", () => {
    expect(layout.header.byteLength % 32).toBe(0);
    expect(layout.tensors).toEqual([
      { offset: 0, bytes: 12 },
      { offset: 32, bytes: 72 },
      { offset: 128, bytes: 864 },
    ]);
    expect(layout.byteLength).toBe(layout.header.byteLength + 992);
  });

  it("refuses a row that is no whole number of blocks", () => {
    expect(() => ggmlBytes({ name: "k", type: "Q4_K", shape: [2, 128] })).toThrow(
      "k: a row of 128 in blocks of 256",
    );
  });
});
