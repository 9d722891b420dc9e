/** @file Curves as SVG: where points lie, and that any text is harmless. */
import sharp from "sharp";
import { expect, it } from "vitest";
import { curvePicture } from "./curve-picture.ts";

it("draws a picture that others can read", async () => {
  const svg = curvePicture([
    {
      title: "loss",
      curves: [
        {
          name: "loss",
          points: [
            [0, 4],
            [10, 2],
            [20, 1],
          ],
        },
      ],
    },
    {
      title: "a < b & c",
      curves: [
        { name: "one", points: [[5, 3]] },
        { name: "two", points: [[5, 3]] },
      ],
    },
  ]);
  // Half the way of steps, a third of the way of losses.
  expect(svg).toContain('points="46.0,28.0 197.0,140.0 348.0,196.0"');
  expect(svg).toContain("a &lt; b &amp; c");
  expect(svg).not.toContain("NaN");
  const { width, height } = await sharp(Buffer.from(svg)).metadata();
  expect([width, height]).toEqual([720, 220]);
});
