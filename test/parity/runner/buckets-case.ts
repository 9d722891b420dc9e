/** @file Kind `buckets`: sizes of the multi-aspect resize and crop, exactly (docs/nextstep-spec.md 4.3). */
import { z } from "zod";
import { chooseBucket, coverGeometry } from "../../../src/image/aspect-buckets.ts";
import type { CaseCheck } from "./case-check.ts";
import { type ParityCase, parseFields } from "./parity-case.ts";

const pair = z.tuple([z.int(), z.int()]);
const fields = z.looseObject({
  rows: z.array(
    z.looseObject({
      image_size: z.int(),
      width: z.int(),
      height: z.int(),
      resized_to: pair.optional(),
      result: pair.optional(),
    }),
  ),
});

export async function runBucketsCase(test: ParityCase, check: CaseCheck): Promise<void> {
  const { rows } = parseFields(fields, test.json, test.name);
  for (const { image_size: imageSize, width, height, resized_to: resized, result } of rows) {
    const label = `${width}x${height} at ${imageSize}`;
    const { pixels } = chooseBucket([height, width], imageSize);
    const geometry = coverGeometry([height, width], pixels);
    if (resized !== undefined) check.equal(`${label} resized_to`, geometry.resized, resized);
    if (result !== undefined) check.equal(`${label} result`, pixels, result);
  }
}
