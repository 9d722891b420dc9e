/** @file Samplers by the name of the published code they come from, as parity cases have them. */
import { UnsupportedError } from "../../../src/errors.ts";
import type { SamplerName } from "../../../src/generate/solvers.ts";

const PUBLISHED: ReadonlyMap<string, SamplerName> = new Map([
  ["P-A", "v1"],
  ["P-H11", "v1.1"],
  // Its default (docs/nextstep-spec.md 3.5).
  ["P-B", "sde"],
  ["P-B-ode", "ode"],
  ["P-B-sde", "sde"],
  ["P-B-cps", "cps"],
]);

/** @throws UnsupportedError for a name that is none of them. */
export function publishedSampler(name: string): SamplerName {
  const sampler = PUBLISHED.get(name);
  if (sampler !== undefined) return sampler;
  throw new UnsupportedError(`"${name}" is no published sampler`, {
    where: "sampler",
    remedy: `use one of ${[...PUBLISHED.keys()].join(", ")}`,
  });
}
