/** @file Squares, bounded memory, missing pictures. */
import { expect, it } from "vitest";
import { DataFormatError } from "../../errors.ts";
import { FaultySamples } from "../data/faulty-samples.ts";
import { SampleError } from "../data/sample-error.ts";
import { PictureStore } from "./picture-store.ts";

function source(count: number) {
  const reads: number[] = [];
  return {
    reads,
    path: "train",
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

it("passes over what cannot be used, showing nothing twice", async () => {
  const pictures = source(6);
  const broken = new Set([0, 3, 5]);
  const store = (share: number) =>
    new PictureStore(
      {
        ...pictures,
        pictureAt: async (index) => {
          if (broken.has(index)) throw new SampleError({ tar: "t.tar", key: `k${index}` }, "is broken");
          return pictures.pictureAt(index);
        },
      },
      4,
      0,
      new FaultySamples(share),
    );
  const shown = await store(0.5).first(6);
  expect(shown.map(({ data }) => data[0])).toEqual([1, 2, 4]);
  expect((await store(0.5).first(2)).map(({ data }) => data[0])).toEqual([1, 2]);
  await expect(store(0.4).first(6)).rejects.toThrow(/^train: 3 of 6 samples.*k5/);
});

it("refuses an empty source", () => {
  expect(() => new PictureStore(source(0), 4, 0, new FaultySamples(0))).toThrow(DataFormatError);
});
