import { expect, it } from "vitest";
import { InputError } from "../errors.ts";
import type { Picture } from "../generate/picture.ts";
import { notSaved } from "./draw-output.ts";

it("says how pictures that could not be saved come back", () => {
  const error = new InputError("no room left", { where: "out" });
  const failures = [7, 8].map((seed) => ({ picture: { seed } as Picture, error }));
  expect(notSaved(failures, 3, false).message).toMatch(
    /^out: no room left; 2 of 3 pictures are not saved \(.*draw with seed 7, 8 again\)$/,
  );
  // Nothing has to be drawn again where a job holds it.
  expect(notSaved(failures, 3, true).message).toMatch(/\(make room, and `nextstep resume` saves them\)$/);
});
