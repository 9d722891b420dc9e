import { describe, expect, it } from "vitest";
import { ConfigError, DataFormatError } from "../../errors.ts";
import type { Grid } from "../../sequence/segments.ts";
import { BatchBucket } from "./batch-bucket.ts";

const grids: Grid[] = [
  [1, 1],
  [1, 2],
];
const never = () => {
  throw new Error("not to be drawn");
};

describe("BatchBucket", () => {
  it("gathers rows by grid", () => {
    const bucket = new BatchBucket<string>({ batchSize: 2, grids });
    expect(bucket.push("a", "1*1", never)).toBeNull();
    expect(bucket.push("b", "1*2", never)).toBeNull();
    expect(bucket.push("c", "0*0", never)).toBeNull();
    expect(bucket.push("d", "1*1", never)).toEqual(["a", "d"]);
    expect(bucket.push("e", "1*1", never)).toBeNull();
    expect(() => bucket.push("f", "9*9", never)).toThrow(ConfigError);
  });

  it("lets text join images, but not end a batch of text while there is another place", () => {
    const bucket = new BatchBucket<string>({ batchSize: 2, grids });
    expect(bucket.push("t1", null, () => 0)).toBeNull();
    // 1*1 holds one row of text: another one must go elsewhere.
    expect(bucket.push("t2", null, () => 0)).toBeNull();
    expect(bucket.push("a", "1*1", never)).toEqual(["t1", "a"]);
    expect(bucket.push("b", "1*2", never)).toEqual(["t2", "b"]);
    expect(bucket.push("c", "0*0", never)).toBeNull();
    expect(bucket.push("t3", null, () => 0.99)).toEqual(["c", "t3"]);
  });

  it("loses no text where no image waits", () => {
    const single = new BatchBucket<string>({ batchSize: 1, grids });
    expect(single.push("t", null, () => 0.5)).toEqual(["t"]);
    const pair = new BatchBucket<number>({ batchSize: 2, grids: [] });
    expect(pair.push(1, null, () => 0)).toBeNull();
    expect(pair.push(2, null, () => 0)).toEqual([1, 2]);
  });

  it("goes on after a restart", () => {
    const bucket = new BatchBucket<number>({ batchSize: 3, grids });
    bucket.push(1, "1*2", never);
    bucket.push(2, null, () => 0.4);
    const next = new BatchBucket<number>({ batchSize: 3, grids });
    next.restore(JSON.parse(JSON.stringify(bucket.state())));
    expect(next.state()).toEqual(bucket.state());
    expect(next.push(3, "1*2", never)).toEqual([1, 2, 3]);
    const smaller = new BatchBucket<number>({ batchSize: 2, grids });
    expect(() => smaller.restore(bucket.state())).toThrow(DataFormatError);
    const other = new BatchBucket<number>({ batchSize: 3, grids: [] });
    expect(() => other.restore(bucket.state())).toThrow(DataFormatError);
    expect(() => new BatchBucket<number>({ batchSize: 0, grids })).toThrow(ConfigError);
  });
});
