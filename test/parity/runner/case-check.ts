/** @file The ledger of one case: what was read, what was compared and how well, and what was forgotten. */
import { isDeepStrictEqual } from "node:util";
import { DataFormatError } from "../../../src/errors.ts";
import { storedTensor } from "../../../src/formats/tensor-source.ts";
import { isFloat } from "../../../src/tensor/dtype.ts";
import { type Tensor, toFloat32 } from "../../../src/tensor/tensor.ts";
import { type ComparisonOptions, compareNumbers, type Numbers } from "./comparison.ts";
import type { ParityCase } from "./parity-case.ts";
import { type ResolvedTolerance, type Tolerance, ToleranceTable } from "./tolerance.ts";

/** The worst comparison among those that share a tolerance. */
export interface CheckedGroup {
  readonly group: string;
  /** Tensor or field with the largest share of its tolerance. */
  readonly worst: string;
  readonly ratio: number;
  readonly text: string;
  /** How many comparisons. */
  readonly count: number;
}

export interface CaseResult {
  readonly name: string;
  readonly kind: string;
  readonly ok: boolean;
  /** Largest share of a tolerance that was used; above 1, or infinite, is not ok. */
  readonly ratio: number;
  readonly groups: readonly CheckedGroup[];
  /** What went wrong apart from numbers: an error, a tensor that nobody compared. */
  readonly problems: readonly string[];
}

/** A tensor that was computed. */
export interface Computed {
  readonly shape: readonly number[];
  readonly data: Numbers;
}

export class CaseCheck {
  readonly #test: ParityCase;
  readonly #tolerances: ToleranceTable;
  readonly #settled = new Set<string>();
  readonly #groups = new Map<string, CheckedGroup>();
  readonly #problems: string[] = [];

  constructor(test: ParityCase) {
    this.#test = test;
    this.#tolerances = new ToleranceTable(test.head.tolerance, test.head.variants ?? []);
  }

  /** Names of all tensors of the case. */
  get tensorNames(): string[] {
    return [...(this.#test.tensors?.tensors.keys() ?? [])];
  }

  has(name: string): boolean {
    return this.#test.tensors?.tensors.has(name) ?? false;
  }

  /** Shape of a tensor of the case. @throws ModelFormatError if there is none of that name. */
  shapeOf(name: string): readonly number[] {
    return storedTensor(this.#file(), name).shape;
  }

  /** Reads a tensor that the computation starts from; it needs no comparison. */
  async input(name: string): Promise<Tensor> {
    this.#settled.add(name);
    return this.#file().readTensor(name);
  }

  /** Like {@link input}, as float32. */
  async floats(name: string): Promise<Float32Array> {
    return toFloat32(await this.input(name));
  }

  /** Reads a golden without settling it. */
  async golden(name: string): Promise<Tensor> {
    return this.#file().readTensor(name);
  }

  tolerance(name: string): ResolvedTolerance {
    return this.#tolerances.find(name, storedTensor(this.#file(), name).dtype);
  }

  /**
   * Compares a computed tensor with the golden of that name, shapes included. A case need not hold every tensor of its
   * kind; one that it holds and that is not compared fails it in the end.
   */
  async compare(name: string, computed: Computed, options: ComparisonOptions = {}): Promise<void> {
    if (!this.has(name)) return;
    this.#settled.add(name);
    const expected = await this.golden(name);
    const { group, tolerance } = this.tolerance(name);
    if (expected.shape.join() !== computed.shape.join()) {
      const text = `shape [${computed.shape.join(", ")}], expected [${expected.shape.join(", ")}]`;
      this.#record(group, name, Infinity, text);
      return;
    }
    const explained = await this.#beforeRounding(name, tolerance);
    const all = explained === undefined ? options : { ...options, beforeRounding: explained };
    const { ratio, text } = compareNumbers(computed.data, elements(expected), tolerance, all);
    this.#record(group, name, ratio, text);
  }

  /** Compares a number of the JSON file under the tolerance that it states for `family`. */
  number(name: string, actual: number, expected: number, family: string): void {
    const { tolerance } = this.#tolerances.find(family, "float64");
    const { ratio, text } = compareNumbers([actual], [expected], tolerance);
    this.#record(name, name, ratio, text);
  }

  /** Compares values that must be equal. */
  equal(name: string, actual: unknown, expected: unknown): void {
    const same = isDeepStrictEqual(actual, expected);
    const text = same ? "equal" : `${brief(actual)}, expected ${brief(expected)}`;
    this.#record(name, name, same ? 0 : Infinity, text);
  }

  problem(text: string): void {
    this.#problems.push(text);
  }

  /** Closes the ledger: tensors that were neither read as inputs nor compared make the case fail. */
  result(): CaseResult {
    const forgotten = this.tensorNames.filter((name) => !this.#settled.has(name));
    const shown = forgotten.slice(0, 3).join(", ") + (forgotten.length > 3 ? ", ..." : "");
    if (forgotten.length > 0) this.#problems.push(`not compared: ${shown}`);
    const groups = [...this.#groups.values()];
    if (groups.length === 0 && this.#problems.length === 0) this.#problems.push("nothing was compared");
    const ratio = groups.reduce((worst, group) => Math.max(worst, group.ratio), 0);
    const ok = this.#problems.length === 0 && ratio <= 1;
    return { name: this.#test.name, kind: this.#test.kind, ok, ratio, groups, problems: this.#problems };
  }

  #file(): NonNullable<ParityCase["tensors"]> {
    const { tensors, name } = this.#test;
    if (tensors === undefined) throw new DataFormatError("has no tensors", { where: name });
    return tensors;
  }

  #record(group: string, name: string, ratio: number, text: string): void {
    const known = this.#groups.get(group);
    const count = (known?.count ?? 0) + 1;
    const worse = known === undefined || ratio > known.ratio;
    this.#groups.set(group, worse ? { group, worst: name, ratio, text, count } : { ...known, count });
  }

  /** For a picture whose bytes may differ only near a half: the golden before rounding, channels last. */
  async #beforeRounding(
    name: string,
    tolerance: Tolerance,
  ): Promise<ComparisonOptions["beforeRounding"] | undefined> {
    if (tolerance.kind !== "steps" || tolerance.maxFraction !== undefined) return undefined;
    const source = name.replace(/_u8$/, "");
    if (source === name || !this.has(source)) return undefined;
    const { tolerance: ofSource } = this.tolerance(source);
    if (ofSource.kind !== "close") return undefined;
    const values = channelsLast(await this.golden(source));
    return values === undefined ? undefined : { values, atol: ofSource.atol };
  }
}

/** The elements as numbers, widened where they are 16-bit floats. */
function elements(tensor: Tensor): Numbers {
  const { dtype, data } = tensor;
  return isFloat(dtype) && dtype !== "float64" ? toFloat32(tensor) : data;
}

/** [..., 3, height, width] to [..., height, width, 3]. */
function channelsLast(planes: Tensor): Float32Array | undefined {
  const [channels, height, width] = planes.shape.slice(-3);
  if (channels === undefined || height === undefined || width === undefined) return undefined;
  const area = height * width;
  const from = toFloat32(planes);
  const to = new Float32Array(from.length);
  for (let i = 0; i < from.length; i++) {
    const picture = Math.floor(i / (channels * area));
    const channel = Math.floor(i / area) % channels;
    to[(picture * area + (i % area)) * channels + channel] = from[i] as number;
  }
  return to;
}

function brief(value: unknown): string {
  const text = JSON.stringify(value) ?? String(value);
  return text.length <= 60 ? text : `${text.slice(0, 57)}...`;
}
