/**
 * @file Symbolic values: the nodes of a graph that model functions build. A value knows its dtype, its shape
 * and how it is computed; it holds no data. Graphs are plain immutable objects reachable from their outputs.
 */
import { ShapeError } from "../errors.ts";
import { callerLine } from "./caller-line.ts";
import { formatShape, type Shape } from "./size.ts";

/** Element types that operators compute with, and that go in and out of a run. */
export type ComputeType = "float32" | "int64" | "bool";

/** Element types in which only weights stand: 16-bit floats, and the bytes of packed blocks. */
export type StorageType = "float16" | "bfloat16" | "uint8";

export type ValueType = ComputeType | StorageType;

export type Attribute = number | string | readonly number[] | { readonly float: number };

/** Engines that a graph is written for. They differ in the kernels that they have. */
export type Target = "cpu" | "webgpu";

/** An ONNX operator type; domain "" is the standard set. */
export interface Kernel {
  readonly type: string;
  readonly domain: "" | "com.microsoft";
}

/** The outputs of a node in terms of other operators, for a target that has no kernel for it. */
export type Expansion = (node: OperatorNode) => readonly Value[];

/**
 * What an operator is: what it becomes on each target, and its gradient rule. `gradient` receives one gradient per output
 * (undefined where nothing depends on that output) and returns one per input (undefined where there is none).
 * An operator without a rule stops the gradient with an error; one whose rule returns undefined blocks it silently.
 */
export interface Operator {
  readonly name: string;
  readonly lower: (target: Target) => Kernel | Expansion;
  readonly gradient?: GradientRule;
}

/** The lowering of an operator that every target has a kernel for. */
export function kernel(type: string, domain: Kernel["domain"] = ""): () => Kernel {
  return () => ({ type, domain });
}

export type GradientRule = (
  node: OperatorNode,
  outputGradients: readonly (Value | undefined)[],
) => readonly (Value | undefined)[];

export interface OperatorNode {
  readonly kind: "operator";
  readonly operator: Operator;
  /** undefined stands for an optional input that is left out. */
  readonly inputs: readonly (Value | undefined)[];
  readonly attributes: Readonly<Record<string, Attribute>>;
  readonly outputs: readonly Value[];
  /** Graphs that the operator runs, if it runs any. */
  readonly nested?: NestedGraphs;
}

/** A graph inside of an operator. */
export interface Subgraph {
  /** What it is given each time that it runs. */
  readonly arguments: readonly Value[];
  readonly results: readonly Value[];
}

/** The graphs of an operator that runs graphs. */
export interface NestedGraphs {
  /**
   * So many of the node's inputs are the operator's own. Behind them stand the values that the graphs take from outside;
   * what else a graph is made of belongs to it alone.
   */
  readonly operands: number;
  /** By ONNX attribute. */
  readonly graphs: Readonly<Record<string, Subgraph>>;
}

/**
 * A value written in terms of other operators, with a gradient of its own: where the chain rule over the parts would
 * compute more than a rule for the whole.
 */
export interface CompositeNode {
  readonly kind: "composite";
  readonly name: string;
  readonly inputs: readonly Value[];
  /** What stands in the graph for this node. */
  readonly definition: Value;
  /** One gradient per input, from the gradient of the value. */
  readonly gradient: (gradient: Value) => readonly Value[];
}

/** A tensor given at every run. */
export interface InputNode {
  readonly kind: "input";
  readonly name: string;
}

/** What a {@link Subgraph} is given; known inside of it only. */
export interface ArgumentNode {
  readonly kind: "argument";
  readonly name: string;
}

/** A named weight: bound to bytes by the runtime, never stored in the graph. */
export interface ParameterNode {
  readonly kind: "parameter";
  readonly name: string;
}

export interface ConstantNode {
  readonly kind: "constant";
  readonly data: readonly number[];
}

/** A vector of sizes [n] (int64): constant, or computed from the shapes of the graph's inputs when run. */
export interface SizesNode {
  readonly kind: "sizes";
  readonly sizes: Shape;
}

export type Producer =
  | OperatorNode
  | CompositeNode
  | InputNode
  | ArgumentNode
  | ParameterNode
  | ConstantNode
  | SizesNode;

export interface Value {
  readonly dtype: ValueType;
  readonly shape: Shape;
  readonly producer: Producer;
}

/** A tensor that is given at every run, e.g. `input("ids", "int64", ["rows", "tokens"])`. */
export function input(name: string, dtype: ValueType, shape: Shape): Value {
  return { dtype, shape, producer: { kind: "input", name } };
}

/** What a graph inside of an operator is given, under a name for people. */
export function argument(name: string, dtype: ValueType, shape: Shape): Value {
  return { dtype, shape, producer: { kind: "argument", name } };
}

/** A weight by its checkpoint name, e.g. `parameter("norm.weight", [5120])`. */
export function parameter(name: string, shape: Shape, dtype: "float32" | StorageType = "float32"): Value {
  return { dtype, shape, producer: { kind: "parameter", name } };
}

/** A constant of any shape, row-major; a lone number is a scalar of shape []. */
export function constant(
  data: number | readonly number[],
  shape: readonly number[] = typeof data === "number" ? [] : [data.length],
  dtype: ValueType = "float32",
): Value {
  const elements = typeof data === "number" ? [data] : data;
  const expected = shape.reduce((a, b) => a * b, 1);
  if (elements.length !== expected) {
    throw shapeError("constant", `${elements.length} elements do not fill ${formatShape(shape)}`);
  }
  return { dtype, shape, producer: { kind: "constant", data: elements } };
}

/** An int64 vector of sizes, known or symbolic. */
export function sizes(dims: Shape): Value {
  return { dtype: "int64", shape: [dims.length], producer: { kind: "sizes", sizes: dims } };
}

/** Builds the node of an operator and returns its outputs. Shapes and dtypes were checked by the caller. */
export function applyMany(
  operator: Operator,
  inputs: readonly (Value | undefined)[],
  results: readonly { dtype: ValueType; shape: Shape }[],
  attributes: Readonly<Record<string, Attribute>> = {},
  nested?: NestedGraphs,
): readonly Value[] {
  const outputs: Value[] = [];
  const own = nested === undefined ? {} : { nested };
  const node: OperatorNode = { kind: "operator", operator, inputs, attributes, outputs, ...own };
  for (const result of results) outputs.push({ dtype: result.dtype, shape: result.shape, producer: node });
  return outputs;
}

/** Like {@link applyMany} for the usual operator with one output. */
export function apply(
  operator: Operator,
  inputs: readonly (Value | undefined)[],
  dtype: ValueType,
  shape: Shape,
  attributes: Readonly<Record<string, Attribute>> = {},
): Value {
  const [value] = applyMany(operator, inputs, [{ dtype, shape }], attributes);
  return value as Value;
}

/** A value equal to `definition` in the operands `inputs`, whose gradient is computed by `gradient` alone. */
export function composite(
  name: string,
  inputs: readonly Value[],
  definition: Value,
  gradient: CompositeNode["gradient"],
): Value {
  const { dtype, shape } = definition;
  return { dtype, shape, producer: { kind: "composite", name, inputs, definition, gradient } };
}

/** The inputs of a node that are known to be there. */
export function requiredInput(node: OperatorNode, index: number): Value {
  const value = node.inputs[index];
  if (value === undefined) throw new ShapeError(`input ${index} is missing`, { where: node.operator.name });
  return value;
}

/** An error about operands: names the operator, the shapes (in `reason`) and the source line that asked. */
export function shapeError(operator: string, reason: string): ShapeError {
  const line = callerLine();
  return new ShapeError(reason, { where: line === undefined ? operator : `${operator}, asked by ${line}` });
}

/** Refuses a value of the wrong dtype. */
export function expectType(operator: string, value: Value, dtype: ValueType): void {
  if (value.dtype !== dtype) {
    throw shapeError(operator, `expects ${dtype}, got ${value.dtype}${formatShape(value.shape)}`);
  }
}
