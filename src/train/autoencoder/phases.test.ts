/** @file Phases that are taken stay; those after them may change. */
import { expect, it } from "vitest";
import { ConfigError, DataFormatError } from "../../errors.ts";
import { refuseOtherPhases, takenPhases } from "./phases.ts";

const FIRST = { crop: 8, batch: 4, steps: 8 };
const SECOND = { crop: 16, batch: 3, steps: 4 };

it("cuts phases where the run stands", () => {
  expect(takenPhases([FIRST, SECOND], 0)).toEqual([]);
  expect(takenPhases([FIRST, SECOND], 5)).toEqual([{ ...FIRST, steps: 5 }]);
  expect(takenPhases([FIRST, SECOND], 10)).toEqual([FIRST, { ...SECOND, steps: 2 }]);
  expect(takenPhases([FIRST, FIRST, SECOND], 17)).toEqual([
    { ...FIRST, steps: 16 },
    { ...SECOND, steps: 1 },
  ]);
});

it("lets a run go on that begins with what was taken, and no other", () => {
  const taken = [FIRST, { ...SECOND, steps: 2 }];
  expect(refuseOtherPhases([FIRST, { ...SECOND, steps: 40 }, FIRST], taken)).toBe(10);
  expect(refuseOtherPhases([{ ...FIRST, steps: 3 }, { ...FIRST, steps: 5 }, SECOND], taken)).toBe(10);
  for (const phases of [
    [{ ...FIRST, steps: 7 }, SECOND],
    [FIRST, { ...SECOND, batch: 4 }],
    [FIRST, { ...SECOND, steps: 1 }],
    [{ ...FIRST, crop: 16 }, SECOND],
  ]) {
    expect(() => refuseOtherPhases(phases, taken)).toThrow(ConfigError);
  }
  expect(() => refuseOtherPhases([FIRST], 7)).toThrow(DataFormatError);
});
