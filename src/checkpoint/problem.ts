/** @file What can be wrong with the tensors of a model folder, found by comparing them with the model's own list. */
import { ModelFormatError } from "../errors.ts";
import type { ParameterSpec } from "../model/parameter-scope.ts";
import { isFloat } from "../tensor/dtype.ts";
import { sameShape } from "../tensor/shape.ts";
import type { QuantizedPart } from "./quantized/quantized-weights.ts";
import type { NamedTensor, TensorSet } from "./tensor-set.ts";

export type ProblemKind =
  | "missing"
  | "shape"
  | "dtype"
  | "extra"
  | "unknown-key"
  | "location"
  | "tokenizer"
  | "settings"
  | "recipe";

/** One finding. Fatal ones keep the folder from being used; nothing is ever filled in with random weights. */
export interface Problem {
  readonly kind: ProblemKind;
  /** Tensor name or configuration key. */
  readonly subject: string;
  /** What is wrong with it, e.g. `has shape [4, 8], expected [8, 8]`. */
  readonly detail: string;
  readonly fatal: boolean;
  /** What to do about it, where the kind alone does not say. */
  readonly remedy?: string;
}

const TENSOR_KINDS: ReadonlySet<ProblemKind> = new Set(["missing", "shape", "dtype"]);

/**
 * Every parameter that is missing or of another shape or kind, then every tensor that no parameter asks for.
 * @param strays names that published files are known to hold although the model has no such parameter.
 */
export function compareTensors(
  expected: readonly ParameterSpec[],
  tensors: TensorSet,
  strays: ReadonlySet<string> = new Set(),
): Problem[] {
  const problems: Problem[] = [];
  const asked = new Set<string>();
  for (const { name, shape } of expected) {
    const matrix = tensors.quantized?.matrices.get(name);
    if (matrix !== undefined) {
      for (const part of matrix.parts) {
        asked.add(part.name);
        problems.push(...comparePart(part, tensors.entries.get(part.name)));
      }
      continue;
    }
    asked.add(name);
    const entry = tensors.entries.get(name);
    if (entry === undefined) {
      const detail = `is missing, expected [${shape.join(", ")}]`;
      problems.push({ kind: "missing", subject: name, detail, fatal: true });
    } else if (!sameShape(entry.shape, shape)) {
      const detail = `has shape [${entry.shape.join(", ")}], expected [${shape.join(", ")}]`;
      problems.push({ kind: "shape", subject: name, detail, fatal: true });
    } else if (!isFloat(entry.dtype) || entry.dtype.startsWith("float8")) {
      const detail = `holds ${entry.dtype}, not float32, float16, bfloat16 or float64`;
      problems.push({ kind: "dtype", subject: name, detail, fatal: true });
    }
  }
  for (const name of tensors.entries.keys()) {
    if (asked.has(name) || strays.has(name)) continue;
    problems.push({ kind: "extra", subject: name, detail: "is not part of this model", fatal: false });
  }
  return problems;
}

function comparePart({ name, dtype, shape }: QuantizedPart, entry: NamedTensor | undefined): Problem[] {
  const expected = `${dtype} [${shape.join(", ")}]`;
  if (entry === undefined) {
    return [{ kind: "missing", subject: name, detail: `is missing, expected ${expected}`, fatal: true }];
  }
  if (entry.dtype === dtype && sameShape(entry.shape, shape)) return [];
  const detail = `holds ${entry.dtype} [${entry.shape.join(", ")}], expected ${expected}`;
  return [{ kind: entry.dtype === dtype ? "shape" : "dtype", subject: name, detail, fatal: true }];
}

/** Keys of a configuration that nothing here knows, as findings. */
export function unknownKeyProblems(keys: readonly string[]): Problem[] {
  return keys.map((subject) => ({
    kind: "unknown-key",
    subject,
    detail: "is not a known key and has no effect",
    fatal: false,
  }));
}

/** @throws ModelFormatError naming the first fatal problem and counting the rest. */
export function refuseFatal(problems: readonly Problem[], where: string): void {
  const fatal = problems.filter((problem) => problem.fatal);
  const [first] = fatal;
  if (first === undefined) return;
  const ofTensors = fatal.every(({ kind }) => TENSOR_KINDS.has(kind));
  const noun = ofTensors ? "wrong tensors" : "faults";
  const others = fatal.length === 1 ? "" : `, the first of ${fatal.length} ${noun}`;
  const subject = TENSOR_KINDS.has(first.kind) ? `tensor "${first.subject}" ` : `${first.subject}: `;
  throw new ModelFormatError(`${subject}${first.detail}${others}`, {
    where,
    remedy: first.remedy ?? usualRemedy(first.kind),
  });
}

function usualRemedy(kind: ProblemKind): string {
  return kind === "missing"
    ? "fetch the whole checkpoint; `nextstep inspect` lists every missing tensor"
    : "config.json and weights must come from the same model; `nextstep inspect` lists every difference";
}
