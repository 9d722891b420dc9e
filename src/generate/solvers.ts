/**
 * @file Every published sampler as a table (docs/nextstep-spec.md 3.3 to 3.5). Each is linear in the state x, the
 * velocity v and the noise n of a step: x' = a x + b v + c n, with v taken at time t.
 */
import { ConfigError } from "../errors.ts";

/**
 * `v1`: score SDE of the first release, the last of its steps without noise (P-A). `v1.1`: the same with noise on every
 * step, as shipped with NextStep-1.1 (P-H11). `ode`, `sde`, `cps`: the three `sde_type`s of the later inference code (P-B).
 */
export type SamplerName = "v1" | "v1.1" | "ode" | "sde" | "cps";

export const SAMPLER_NAMES: readonly SamplerName[] = ["v1", "v1.1", "ode", "sde", "cps"];

/** Most steps that are unrolled into a graph. Published settings use 20 to 50. */
export const MAX_STEPS = 1000;

/** The samplers that draw noise at each step, as much as the noise level says. */
export const NOISY_SAMPLERS: readonly SamplerName[] = ["sde", "cps"];

/** Noise of `sde` and `cps` in the published code, which does not let its callers change it. */
export const DEFAULT_NOISE_LEVEL = 0.8;

/** Length of the noiseless last step of `v1`. */
const LAST_STEP = 0.04;

export interface SolverRow {
  /** Time given to the net, float32; 0 is noise, 1 the clean token. */
  readonly t: number;
  readonly a: number;
  readonly b: number;
  readonly c: number;
}

export interface SolverOptions {
  readonly steps: number;
  /** Above 1 moves time points towards the noise, t -> t / (s - (s - 1) t). Default 1. */
  readonly shift?: number;
  /** Of `sde` and `cps`; no effect on the others. Default {@link DEFAULT_NOISE_LEVEL}. */
  readonly noiseLevel?: number;
}

/**
 * The table of a sampler, one row a step.
 * @throws ConfigError for an unknown name, steps outside 1 to {@link MAX_STEPS} (2 at least for `v1`), a shift that is
 * not positive, or a negative noise level.
 */
export function solverTable(name: SamplerName, options: SolverOptions): SolverRow[] {
  const { steps, shift = 1, noiseLevel = DEFAULT_NOISE_LEVEL } = options;
  checkOptions(name, steps, shift, noiseLevel);
  switch (name) {
    case "v1":
      return scoreTable(shiftedTimes(0, Math.fround(1 - LAST_STEP), steps, shift), LAST_STEP);
    case "v1.1":
      return scoreTable(timesToOne(steps, shift));
    default:
      return velocityTable(name, timesToOne(steps, shift), noiseLevel);
  }
}

/** Noise vectors that a sampler uses for a token: the starting state, then one for each step that adds noise. */
export function noiseDraws(name: SamplerName, steps: number): number {
  if (name === "ode") return 1;
  return name === "v1" ? steps : steps + 1;
}

/** Fewest steps that a sampler can do with. */
export function fewestSteps(name: SamplerName): number {
  return name === "v1" ? 2 : 1;
}

function checkOptions(name: SamplerName, steps: number, shift: number, noiseLevel: number): void {
  if (!SAMPLER_NAMES.includes(name)) {
    throw new ConfigError(`"${String(name)}" is not a sampler`, {
      where: "sampler",
      remedy: `use one of ${SAMPLER_NAMES.join(", ")}`,
    });
  }
  const fewest = fewestSteps(name);
  if (!Number.isInteger(steps) || steps < fewest || steps > MAX_STEPS) {
    throw new ConfigError(`${steps} is not a number of steps`, {
      where: "steps",
      remedy: `use a whole number from ${fewest} to ${MAX_STEPS}`,
    });
  }
  if (!Number.isFinite(shift) || shift <= 0) {
    throw new ConfigError(`${shift} is not a timestep shift`, {
      where: "shift",
      remedy: "use a number above 0; 1 changes nothing",
    });
  }
  if (!Number.isFinite(noiseLevel) || noiseLevel < 0 || (name === "cps" && noiseLevel > 1)) {
    throw new ConfigError(`${noiseLevel} is not a noise level`, {
      where: "noise level",
      remedy: `use a number from 0${name === "cps" ? " to 1" : " up"}`,
    });
  }
}

/** torch.linspace in float32: counted up from the start in the first half, down from the end in the second. */
export function linspace(start: number, end: number, count: number): number[] {
  const step = count > 1 ? Math.fround((end - start) / (count - 1)) : 0;
  const half = Math.floor(count / 2);
  return Array.from({ length: count }, (_, i) =>
    i < half || count === 1
      ? Math.fround(start + Math.fround(step * i))
      : Math.fround(end - Math.fround(step * (count - 1 - i))),
  );
}

/** t / (s - (s - 1) t), rounded to float32 after each operation as tensors are. */
function shiftTime(t: number, shift: number): number {
  const slope = Math.fround(Math.fround(shift - 1) * t);
  return Math.fround(t / Math.fround(shift - slope));
}

function shiftedTimes(start: number, end: number, count: number, shift: number): number[] {
  return linspace(start, end, count).map((t) => shiftTime(t, shift));
}

/** steps + 1 points from 0 to exactly 1. */
function timesToOne(steps: number, shift: number): number[] {
  return [
    ...linspace(0, 1, steps + 1)
      .slice(0, -1)
      .map((t) => shiftTime(t, shift)),
    1,
  ];
}

/**
 * Between neighbouring times, x' = x + ((1 + t) v - x) dt + sqrt(2 (1 - t) dt) n. With a `lastStep`, a step of that
 * length along v alone follows the last time.
 */
function scoreTable(times: readonly number[], lastStep?: number): SolverRow[] {
  const rows = times.slice(0, -1).map((t, i): SolverRow => {
    const dt = (times[i + 1] as number) - t;
    return { t, a: 1 - dt, b: (1 + t) * dt, c: Math.sqrt(2 * (1 - t) * dt) };
  });
  if (lastStep !== undefined) rows.push({ t: times.at(-1) as number, a: 1, b: lastStep, c: 0 });
  return rows;
}

/**
 * Steps that split the state into its ends x0 = x - t v and x1 = x + (1 - t) v and mix them anew at t':
 * x' = A x0 + t' x1 + c n.
 */
function velocityTable(
  name: "ode" | "sde" | "cps",
  times: readonly number[],
  noiseLevel: number,
): SolverRow[] {
  return times.slice(0, -1).map((t, i): SolverRow => {
    const next = times[i + 1] as number;
    const { noiseEnd, c } = endWeights(name, t, next, times.at(-2) as number, noiseLevel);
    return { t, a: noiseEnd + next, b: next * (1 - t) - noiseEnd * t, c };
  });
}

/** Weight of x0, and of fresh noise. `secondLast` is the time that the published code calls sigma_max. */
function endWeights(
  name: "ode" | "sde" | "cps",
  t: number,
  next: number,
  secondLast: number,
  noiseLevel: number,
): { noiseEnd: number; c: number } {
  const rest = 1 - next;
  if (name === "ode") return { noiseEnd: rest, c: 0 };
  if (name === "cps") {
    const sigma = rest * Math.sin((noiseLevel * Math.PI) / 2);
    return { noiseEnd: Math.sqrt(Math.max(0, rest * rest - sigma * sigma)), c: sigma };
  }
  const sigma = 1 - t;
  const dt = next - t;
  const q = noiseLevel * Math.sqrt(sigma / (1 - (sigma === 1 ? secondLast : sigma)));
  return { noiseEnd: rest - (q * q * dt) / (2 * sigma), c: q * Math.sqrt(dt) };
}
