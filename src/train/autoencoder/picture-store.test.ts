/** @file Squares, bounded memory, missing pictures. */
import { expect, it } from "vitest";
import { DataFormatError } from "../../errors.ts";
import { FaultySamples } from "../data/faulty-samples.ts";
import { PictureStore } from "./picture-store.ts";

function source(count: number) {
  const reads: number[] = [];
  return {
    reads,
    length: count,
    async pictureAt(index: number) {
      reads.push(index);
      return { width: 8, height: 4, data: new Uint8Array(96).fill(index) };
    },
  };
}

it("makes squares and keeps as many as fit", async () => {
  const pictures = source(3);
  const store = new PictureStore(pictures, 4, 2 * 48 + 10, new FaultySamples(0));
  for (const index of [0, 1, 2, 0, 1, 2]) {
    const square = await store.at(index);
    expect([square.width, square.height, square.data[0]]).toEqual([4, 4, index]);
  }
  expect(pictures.reads).toEqual([0, 1, 2, 2]);
  expect(await store.first(10)).toHaveLength(3);
});

it("refuses an empty source", () => {
  expect(() => new PictureStore(source(0), 4, 0, new FaultySamples(0))).toThrow(DataFormatError);
});
