/** @file How far a tensor may be from its golden, as the case file states it (test/parity/README.md). */
import { z } from "zod";
import { DataFormatError } from "../../../src/errors.ts";
import { type DType, isFloat } from "../../../src/tensor/dtype.ts";

/** `close`: |actual - expected| <= atol + rtol |expected|. `steps`: bytes, see maxStep. `equal`: no difference at all. */
export type Tolerance =
  | { readonly kind: "close"; readonly atol: number; readonly rtol: number }
  | {
      readonly kind: "steps";
      /** Largest difference of two bytes. */
      readonly maxStep: number;
      /** Largest share of bytes that differ; undefined: only where the value before rounding is near a half. */
      readonly maxFraction: number | undefined;
    }
  | { readonly kind: "equal" };

export interface ResolvedTolerance {
  /** What the case file calls it; tensors that share a tolerance are reported together. */
  readonly group: string;
  readonly tolerance: Tolerance;
}

/** Where a file states nothing about numbers that are not learnt or sampled: some roundings of float32. */
const UNSTATED: Tolerance = { kind: "close", atol: 1e-6, rtol: 1e-6 };

const statement = z.looseObject({
  atol: z.number().nonnegative().optional(),
  rtol: z.number().nonnegative().optional(),
  max_step: z.number().nonnegative().optional(),
  max_fraction_different: z.number().nonnegative().optional(),
});
type Statement = z.infer<typeof statement>;

const BOUNDS = ["atol", "rtol", "max_step", "max_fraction_different"] as const;

/** Part of a case that takes its own tolerances: its tensors begin with `prefix`. */
export interface VariantTolerance {
  readonly prefix: string;
  readonly tolerance?: unknown;
}

/**
 * Looks up tolerances by tensor name. A statement is found under the full name; under the name without its variant's
 * prefix, in the variant or the case; under the first word without its number (`grad` for `grad.norm.weight`, `after`
 * for `after2.norm.weight`); or on the variant or case as a whole.
 */
export class ToleranceTable {
  readonly #stated: unknown;
  readonly #variants: readonly VariantTolerance[];

  constructor(stated: unknown, variants: readonly VariantTolerance[] = []) {
    this.#stated = stated;
    this.#variants = variants;
  }

  /**
   * @param dtype of the golden: integers and truth values must be equal unless the file says otherwise.
   * @throws DataFormatError when a statement is malformed.
   */
  find(name: string, dtype: DType): ResolvedTolerance {
    const variant = this.#variants.find(({ prefix }) => prefix !== "" && name.startsWith(prefix));
    const local = variant === undefined ? name : name.slice(variant.prefix.length);
    const family = local.replace(/^([A-Za-z_]+)\d*\..*$/s, "$1");
    const label = variant === undefined ? "" : variant.prefix;
    for (const [group, key, container] of [
      [name, name, this.#stated],
      [`${label}${local}`, local, variant?.tolerance],
      [`${label}${local}`, local, this.#stated],
      [`${label}${family}`, family, variant?.tolerance],
      [`${label}${family}`, family, this.#stated],
    ] as const) {
      const found = parse(member(container, key), name);
      if (found !== undefined) return resolve(group, found);
    }
    if (dtype === "uint8") return this.#forBytes(name);
    for (const [group, container] of [
      [`${label}*`, variant?.tolerance],
      ["*", this.#stated],
    ] as const) {
      const whole = parse(container, name);
      if (whole !== undefined && isFloat(dtype)) return resolve(group, whole);
    }
    return { group: name, tolerance: isFloat(dtype) ? UNSTATED : { kind: "equal" } };
  }

  /**
   * A picture without a statement of its own follows the one that a sister picture has, but the share of differing
   * bytes depends on the picture: instead, each must differ only where the value before rounding is near a half.
   */
  #forBytes(name: string): ResolvedTolerance {
    const stated = typeof this.#stated === "object" && this.#stated !== null ? this.#stated : {};
    for (const value of Object.values(stated)) {
      const sister = typeof value === "object" ? parse(value, name) : undefined;
      if (sister?.max_step !== undefined) {
        const tolerance = { kind: "steps", maxStep: sister.max_step, maxFraction: undefined } as const;
        return { group: name, tolerance };
      }
    }
    return { group: name, tolerance: { kind: "equal" } };
  }
}

function member(container: unknown, key: string): unknown {
  if (typeof container !== "object" || container === null) return undefined;
  return Object.entries(container).find(([name]) => name === key)?.[1];
}

/** A statement, or undefined for something that states no bound. A bare number is an absolute bound. */
function parse(value: unknown, where: string): Statement | undefined {
  if (value === undefined || value === null || typeof value === "string") return undefined;
  if (typeof value === "number") return parse({ atol: value }, where);
  const parsed = statement.safeParse(value);
  if (!parsed.success)
    throw new DataFormatError("its tolerance is malformed", { where, cause: parsed.error });
  return BOUNDS.some((bound) => parsed.data[bound] !== undefined) ? parsed.data : undefined;
}

function resolve(group: string, stated: Statement): ResolvedTolerance {
  const { atol = 0, rtol = 0, max_step: maxStep, max_fraction_different: maxFraction } = stated;
  const tolerance: Tolerance =
    maxStep !== undefined || maxFraction !== undefined
      ? { kind: "steps", maxStep: maxStep ?? 255, maxFraction: maxFraction ?? 1 }
      : { kind: "close", atol, rtol };
  return { group, tolerance };
}
