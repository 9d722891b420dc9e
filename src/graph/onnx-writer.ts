/** @file Writes a graph as an ONNX model (IR version 10, opset 21 plus com.microsoft). */
import { ShapeError } from "../errors.ts";
import { definedInputs, Lowering } from "./lowering.ts";
import { GraphMessage, type Port } from "./onnx-messages.ts";
import { type Dim, loneSymbol, type Shape, symbolsOf, termsOf } from "./size.ts";
import type { ConstantNode, Kernel, OperatorNode, Subgraph, Target, Value, ValueType } from "./value.ts";

export type { Port } from "./onnx-messages.ts";

export interface OnnxModel {
  /** All but the weights that are initializers, which are bound to their bytes when a session is created. */
  readonly bytes: Uint8Array;
  /** What must be given at every run; parameters that were written as inputs too. */
  readonly inputs: readonly Port[];
  readonly outputs: readonly Port[];
  /** All weights, as inputs or initializers. */
  readonly parameters: readonly Port[];
}

/** A weight bound once, when the session is created, or given at every run, as training needs where it changes. */
export type ParameterPlace = "initializer" | "input";

export interface OnnxWriterOptions {
  /** The place of all weights, or of each by its name: a delta may be trained over frozen weights. */
  readonly parameters: "initializers" | "inputs" | ((name: string) => ParameterPlace);
  /** Default `cpu`. */
  readonly target?: Target;
}

/** A kernel of the standard set. */
const standard = (type: string): Kernel => ({ type, domain: "" });

class GraphWriter {
  readonly #graph = new GraphMessage();
  readonly #lowering: Lowering;
  readonly #names = new Map<Value, string>();
  readonly #constants = new Map<string, string>();
  /** Where the value of a symbol can be read when run: an input's axis of this size, or a whole multiple of it. */
  readonly #symbolSources = new Map<string, { inputName: string; axis: number; multiple: number }>();
  readonly #sizeScalars = new Map<string, string>();
  #next = 0;

  constructor(lowering: Lowering) {
    this.#lowering = lowering;
  }

  freshName(stem: string): string {
    return `${stem}.${this.#next++}`;
  }

  name(value: Value): string {
    const known = this.#names.get(value);
    if (known !== undefined) return known;
    const resolved = this.#lowering.resolve(value);
    const name = resolved === value ? this.#newName(value) : this.name(resolved);
    this.#names.set(value, name);
    return name;
  }

  #newName({ producer, dtype, shape }: Value): string {
    switch (producer.kind) {
      case "input":
      case "parameter":
        return producer.name;
      case "constant":
        return this.constant(dtype, shape as number[], producer.data);
      case "sizes":
        return this.sizeVector(producer.sizes);
      case "argument":
        return this.freshName(producer.name);
      case "operator":
        return this.freshName(producer.operator.name);
      case "composite":
        throw new ShapeError("was not resolved", { where: producer.name });
    }
  }

  declareInput(port: Port): void {
    this.#graph.input(port);
    port.shape.forEach((dim, axis) => {
      const alone = loneSymbol(dim);
      if (
        alone !== undefined &&
        (this.#symbolSources.get(alone.symbol)?.multiple ?? Infinity) > alone.multiple
      ) {
        this.#symbolSources.set(alone.symbol, { inputName: port.name, axis, multiple: alone.multiple });
      }
    });
  }

  declareOutput(port: Port, value: Value): void {
    this.#graph.node(standard("Identity"), [this.name(value)], [port.name]);
    this.#graph.output(port);
  }

  constant(dtype: ValueType, shape: readonly number[], data: ConstantNode["data"]): string {
    const key = `${dtype}[${shape.join()}]${data.join()}`;
    const known = this.#constants.get(key);
    if (known !== undefined) return known;
    const name = this.freshName("constant");
    this.#graph.constant(name, dtype, shape, constantBytes(dtype, data));
    this.#constants.set(key, name);
    return name;
  }

  operator(node: OperatorNode, graph = this.#graph): void {
    const inputs = node.inputs.map((operand) => (operand === undefined ? "" : this.name(operand)));
    const outputs = node.outputs.map((output) => this.name(output));
    const kernel = this.#lowering.kernelOf(node);
    if (node.nested === undefined) {
      graph.node(kernel, inputs, outputs, node.attributes);
      return;
    }
    const { operands, graphs } = node.nested;
    const written = Object.entries(graphs).map(
      ([name, nested]) => [name, this.#nested(name, nested, definedInputs(node))] as const,
    );
    // Behind its own operands stand the values that the graphs take from outside, which they see by name.
    graph.node(kernel, inputs.slice(0, operands), outputs, node.attributes, Object.fromEntries(written));
  }

  /** Constants and sizes always stand in the outermost graph, which every nested one sees. */
  #nested(name: string, { arguments: given, results }: Subgraph, outside: readonly Value[]): GraphMessage {
    const graph = new GraphMessage();
    for (const value of given) graph.input(this.#port(this.name(value), value));
    for (const node of this.#lowering.list(results, outside).nodes) this.operator(node, graph);
    for (const value of results) {
      const output = this.freshName(name);
      graph.node(standard("Identity"), [this.name(value)], [output]);
      graph.output(this.#port(output, value));
    }
    return graph;
  }

  #port(name: string, { dtype, shape }: Value): Port {
    return { name, dtype, shape };
  }

  /** int64 [n]: a constant when every size is known, else joined from single sizes. */
  sizeVector(dims: Shape): string {
    if (dims.every((dim) => typeof dim === "number"))
      return this.constant("int64", [dims.length], dims as number[]);
    const parts = dims.map((dim) => this.sizeScalar(dim));
    if (parts.length === 1) return parts[0] as string;
    const name = this.freshName("sizes");
    this.#graph.node(standard("Concat"), parts, [name], { axis: 0 });
    return name;
  }

  /** One size as int64 [1]. */
  sizeScalar(dim: Dim): string {
    if (typeof dim === "number") return this.constant("int64", [1], [dim]);
    const known = this.#sizeScalars.get(dim);
    if (known !== undefined) return known;
    let total: string | undefined;
    for (const { coefficient, symbols } of termsOf(dim)) {
      let product: string | undefined =
        coefficient === 1 && symbols.length > 0 ? undefined : this.constant("int64", [1], [coefficient]);
      for (const symbol of symbols) product = this.#combine("Mul", product, this.#symbol(symbol));
      total = this.#combine("Add", total, product as string);
    }
    this.#sizeScalars.set(dim, total as string);
    return total as string;
  }

  #combine(type: "Add" | "Mul", left: string | undefined, right: string): string {
    if (left === undefined) return right;
    const name = this.freshName("size");
    this.#graph.node(standard(type), [left, right], [name]);
    return name;
  }

  #symbol(symbol: string): string {
    const known = this.#sizeScalars.get(symbol);
    if (known !== undefined) return known;
    const source = this.#symbolSources.get(symbol);
    if (source === undefined) {
      throw new ShapeError(`no input has an axis of size "${symbol}" or a multiple of it`, {
        where: "onnx writer",
      });
    }
    let name = this.freshName(symbol);
    this.#graph.node(standard("Shape"), [source.inputName], [name], {
      start: source.axis,
      end: source.axis + 1,
    });
    if (source.multiple !== 1) {
      const multiple = name;
      name = this.freshName(symbol);
      this.#graph.node(standard("Div"), [multiple, this.constant("int64", [1], [source.multiple])], [name]);
    }
    this.#sizeScalars.set(symbol, name);
    return name;
  }

  finish(): Uint8Array {
    return this.#graph.finish();
  }
}

/** Little-endian elements of a constant. */
function constantBytes(dtype: ValueType, data: ConstantNode["data"]): Uint8Array {
  if (dtype === "float32") return new Uint8Array(Float32Array.from(data).buffer);
  if (dtype === "int64") return new Uint8Array(BigInt64Array.from(data, BigInt).buffer);
  return Uint8Array.from(data);
}

/** Leaves of one kind by name; two leaves of one name must agree in shape and dtype. */
function namedPorts(leaves: readonly Value[], kind: "input" | "parameter"): Port[] {
  const ports = new Map<string, Port>();
  for (const { producer, dtype, shape } of leaves) {
    if (producer.kind !== kind) continue;
    const known = ports.get(producer.name);
    if (known !== undefined && (known.dtype !== dtype || known.shape.join() !== shape.join())) {
      throw new ShapeError(`${kind} "${producer.name}" is used with shapes [${known.shape}] and [${shape}]`, {
        where: "onnx writer",
      });
    }
    ports.set(producer.name, { name: producer.name, dtype, shape });
  }
  return [...ports.values()];
}

/**
 * Writes the graph that computes `outputs`.
 * @throws ShapeError when a symbolic size cannot be read off any input, a name stands for two shapes, or a weight
 * that is not float32 was to be an input.
 */
export function writeOnnx(outputs: Readonly<Record<string, Value>>, options: OnnxWriterOptions): OnnxModel {
  const lowering = new Lowering(options.target ?? "cpu");
  const { nodes, leaves } = lowering.list(Object.values(outputs));
  const parameters = namedPorts(leaves, "parameter");
  const isInput = ({ name }: Port): boolean =>
    typeof options.parameters === "function"
      ? options.parameters(name) === "input"
      : options.parameters === "inputs";
  for (const port of parameters) {
    const symbols = port.shape.flatMap(symbolsOf);
    if (symbols.length > 0)
      throw new ShapeError(`parameter "${port.name}" has a symbolic size ${symbols[0]}`);
    if (port.dtype !== "float32" && isInput(port))
      throw new ShapeError(`parameter "${port.name}" of ${port.dtype} can be an initializer only`);
  }
  const inputs = [...namedPorts(leaves, "input"), ...parameters.filter(isInput)];
  const writer = new GraphWriter(lowering);
  for (const port of inputs) writer.declareInput(port);
  for (const node of nodes) writer.operator(node);
  const ports = Object.entries(outputs).map(([name, value]) => ({
    name,
    dtype: value.dtype,
    shape: value.shape,
  }));
  Object.values(outputs).forEach((value, index) => {
    writer.declareOutput(ports[index] as Port, value);
  });
  return { bytes: writer.finish(), inputs, outputs: ports, parameters };
}
