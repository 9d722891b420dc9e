import { describe, expect, it } from "vitest";
import { ConfigError } from "../errors.ts";
import { linspace, noiseDraws, SAMPLER_NAMES, type SamplerName, solverTable } from "./solvers.ts";

const times = (name: SamplerName, steps: number, shift = 1) =>
  solverTable(name, { steps, shift }).map(({ t }) => t);

describe("linspace", () => {
  it("counts from both ends in float32", () => {
    const step = Math.fround(1 / 3);
    expect(linspace(0, 1, 4)).toEqual([0, step, Math.fround(1 - step), 1]);
    // From the start alone the last but one would be 2 x 0.33333334 = 0.6666667.
    expect(linspace(0, 1, 4)[2]).toBe(Math.fround(0.6666666));
    expect(linspace(0, 1, 11).slice(-2)).toEqual([Math.fround(1 - Math.fround(0.1)), 1]);
    expect(linspace(0, 5, 1)).toEqual([0]);
  });
});

describe("times", () => {
  it("run to 1 - 0.04 in the first release, to the step before 1 elsewhere", () => {
    expect(times("v1", 5).at(-1)).toBe(Math.fround(0.96));
    for (const name of ["v1.1", "ode", "sde", "cps"] as const) {
      expect(times(name, 4)).toEqual([0, 0.25, 0.5, 0.75]);
    }
  });

  it("move to the noise with a shift, and the first release then ends before 1", () => {
    const shifted = solverTable("v1", { steps: 3, shift: 3.2 });
    expect(shifted.at(-1)?.t).toBeCloseTo(0.96 / (3.2 - 2.2 * 0.96), 6);
    expect((shifted.at(-1)?.t ?? 1) + (shifted.at(-1)?.b ?? 1)).toBeCloseTo(0.9224, 3);
    expect(times("ode", 2, 3)).toEqual([0, Math.fround(0.5 / 2)]);
  });

  it("are float32", () => {
    for (const name of SAMPLER_NAMES) {
      for (const t of times(name, 7, 1.7)) expect(Math.fround(t)).toBe(t);
    }
  });
});

/** The published updates as written, one step in float64. */
function published(
  name: SamplerName,
  x: number,
  v: number,
  n: number,
  t: number,
  next: number,
  times: number[],
) {
  const dt = next - t;
  if (name === "v1" || name === "v1.1") {
    const score = (t * v - x) / (1 - t);
    const drift = v + (1 - t) * score;
    return x + drift * dt + Math.sqrt(2 * (1 - t)) * Math.sqrt(dt) * n;
  }
  const x0 = x - v * t;
  const x1 = x + v * (1 - t);
  if (name === "ode") return (1 - next) * x0 + next * x1;
  if (name === "cps") {
    const sigma = (1 - next) * Math.sin((0.6 * Math.PI) / 2);
    return Math.sqrt((1 - next) ** 2 - sigma ** 2) * x0 + next * x1 + sigma * n;
  }
  const sigma = 1 - t;
  const bounded = sigma === 1 ? (times.at(-2) as number) : sigma;
  const q = 0.6 * Math.sqrt(sigma / (1 - bounded));
  return (1 - next) * x0 + next * x1 - ((q * q * dt) / (2 * sigma)) * x0 + q * Math.sqrt(dt) * n;
}

describe("tables", () => {
  it.each(SAMPLER_NAMES.flatMap((name) => [1, 3.2].map((shift) => [name, shift] as const)))(
    "%s with shift %f is its published update",
    (name, shift) => {
      const table = solverTable(name, { steps: 6, shift, noiseLevel: 0.6 });
      const points = [...table.map(({ t }) => t), 1];
      const [x, v, n] = [0.7, -1.3, 0.4];
      table.forEach(({ t, a, b, c }, step) => {
        const isPlain = name === "v1" && step === 5;
        const expected = isPlain
          ? x + v * 0.04
          : published(name, x, v, n, t, points[step + 1] as number, points);
        expect(a * x + b * v + c * n).toBeCloseTo(expected, 12);
      });
    },
  );

  it("take no noise where the published code takes none", () => {
    expect(solverTable("ode", { steps: 5 }).every(({ c }) => c === 0)).toBe(true);
    expect(solverTable("v1", { steps: 5 }).map(({ c }) => c > 0)).toEqual([true, true, true, true, false]);
    expect(solverTable("v1.1", { steps: 5 }).every(({ c }) => c > 0)).toBe(true);
    expect(solverTable("cps", { steps: 5 }).at(-1)?.c).toBe(0);
    expect(SAMPLER_NAMES.map((name) => noiseDraws(name, 5))).toEqual([5, 6, 1, 6, 6]);
  });

  it("become the ode at noise level 0", () => {
    const ode = solverTable("ode", { steps: 5 });
    for (const name of ["sde", "cps"] as const) {
      solverTable(name, { steps: 5, noiseLevel: 0 }).forEach((row, step) => {
        expect(row.a).toBeCloseTo(ode[step]?.a ?? 0, 12);
        expect(row.b).toBeCloseTo(ode[step]?.b ?? 0, 12);
        expect(row.c).toBe(0);
      });
    }
  });

  it("work with a single step", () => {
    expect(solverTable("ode", { steps: 1 })).toEqual([{ t: 0, a: 1, b: 1, c: 0 }]);
    const [row] = solverTable("sde", { steps: 1, noiseLevel: 0.5 });
    expect(row?.c).toBeCloseTo(0.5, 12);
  });
});

it.each([
  ["steps 0", "sde", { steps: 0 }],
  ["a fraction of a step", "sde", { steps: 2.5 }],
  ["too many steps", "sde", { steps: 1001 }],
  ["one step of v1", "v1", { steps: 1 }],
  ["shift 0", "sde", { steps: 4, shift: 0 }],
  ["a shift that is no number", "sde", { steps: 4, shift: Number.NaN }],
  ["negative noise", "sde", { steps: 4, noiseLevel: -1 }],
  ["noise above 1 for cps", "cps", { steps: 4, noiseLevel: 1.1 }],
] as const)("refuses %s", (_, name, options) => {
  expect(() => solverTable(name, options)).toThrow(ConfigError);
});

it("names the samplers there are", () => {
  expect(() => solverTable("euler" as SamplerName, { steps: 4 })).toThrow(/v1, v1\.1, ode, sde, cps/);
});
