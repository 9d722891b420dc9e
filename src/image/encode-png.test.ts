import { describe, expect, it } from "vitest";
import { ShapeError } from "../errors.ts";
import { decodeImage } from "../files/decode-image.ts";
import { nodeZlib } from "../files/zlib.ts";
import { encodePng } from "./encode-png.ts";

describe("encodePng", () => {
  const sizes = [
    [1, 1],
    [7, 3],
    [64, 48],
  ] as const;
  it.each(sizes)("writes %i x %i pixels that another codec reads back", async (width, height) => {
    // Smooth parts, edges and noise, so that every filter wins somewhere.
    const data = Uint8Array.from({ length: 3 * width * height }, (_, i) => {
      const y = Math.floor(i / (3 * width));
      return y % 5 === 0 ? (i * 2654435761) >>> 24 : y % 3 === 0 ? 200 : (i + 7 * y) % 256;
    });
    const image = { width, height, data };
    expect(await decodeImage(await encodePng(image, nodeZlib), "test")).toEqual(image);
  });

  it("refuses data that does not fill the picture", async () => {
    const short = { width: 2, height: 2, data: new Uint8Array(3) };
    await expect(encodePng(short, nodeZlib)).rejects.toThrow(ShapeError);
  });
});
