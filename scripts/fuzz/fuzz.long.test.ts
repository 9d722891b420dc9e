/** @file A short run of every fuzz target; `npm run fuzz` makes the long one. */

import { describe, expect, it } from "vitest";
import { InputError } from "../../src/errors.ts";
import { fuzz, fuzzInput } from "./run.ts";
import { fuzzTargets } from "./targets.ts";

const targets = await fuzzTargets();
/** Texts in which anything may stand. */
const NEVER_REFUSES = ["a1111 parameters", "xmp"];

describe("fuzz", () => {
  it.each(targets.map((target) => [target.name, target] as const))(
    "%s: 1500 mutated inputs",
    async (_name, target) => {
      const report = await fuzz(target, { seed: 1, first: 0, count: 1500 });
      expect(report.failures).toEqual([]);
      expect(report.inputs).toBe(1500);
      // Both ends must be reached, or the mutations are too tame or too wild to test anything.
      expect(report.accepted).toBeGreaterThan(15);
      if (!NEVER_REFUSES.includes(target.name)) expect(report.refused).toBeGreaterThan(150);
    },
  );

  it("builds an input from its number alone", () => {
    for (const target of targets) expect(fuzzInput(target, 7, 99)).toEqual(fuzzInput(target, 7, 99));
    expect(fuzzInput(targets[0]!, 7, 99)).not.toEqual(fuzzInput(targets[0]!, 7, 100));
  });

  it("reports foreign errors, and messages that a terminal would obey", async () => {
    const target = targets[0]!;
    const failWith = async (error: Error): Promise<string | undefined> => {
      // The valid files come first and must pass.
      let calls = 0;
      const run = async (): Promise<void> => {
        if (++calls > target.seeds.length) throw error;
      };
      const report = await fuzz({ ...target, run }, { seed: 1, first: 5, count: 20 });
      expect(report.failures.length === 0 || report.failures.length === 10).toBe(true);
      return report.failures[0];
    };
    expect(await failWith(new TypeError("oops"))).toMatch(/^input 5: TypeError: oops/);
    expect(await failWith(new InputError("\u001b[2J"))).toMatch(/^input 5: /);
    expect(await failWith(new InputError("fine"))).toBeUndefined();
  });
});
