/** @file Writes a graph as an ONNX model (IR version 10, opset 21 plus com.microsoft). */
import { ShapeError } from "../errors.ts";
import { ONNX_TYPE } from "./operators/cast.ts";
import { MessageWriter } from "./protobuf.ts";
import { type Dim, loneSymbol, type Shape, symbolsOf, termsOf } from "./size.ts";
import type { Attribute, OperatorNode, Value, ValueType } from "./value.ts";

/** A named tensor at the border of a graph. */
export interface Port {
  readonly name: string;
  readonly dtype: ValueType;
  readonly shape: Shape;
}

export interface OnnxModel {
  readonly bytes: Uint8Array;
  /** What must be given at every run; parameters too when they were written as inputs. */
  readonly inputs: readonly Port[];
  readonly outputs: readonly Port[];
  /** Weights by name. As initializers, each points at an external file of the parameter's name, offset 0. */
  readonly parameters: readonly Port[];
}

export interface OnnxWriterOptions {
  /**
   * `initializers`: weights are bound once, when the session is created. `inputs`: weights are given at every run,
   * as training needs, where they change.
   */
  readonly parameters: "initializers" | "inputs";
}

const IR_VERSION = 10;
const OPSET = 21;

/** Field numbers of onnx.proto, release 1.16. */
const MODEL = { irVersion: 1, producerName: 2, graph: 7, opsetImport: 8 } as const;
const OPERATOR_SET = { domain: 1, version: 2 } as const;
const GRAPH = { node: 1, name: 2, initializer: 5, input: 11, output: 12 } as const;
const NODE = { input: 1, output: 2, name: 3, opType: 4, attribute: 5, domain: 7 } as const;
const ATTRIBUTE = { name: 1, float: 2, int: 3, string: 4, graph: 6, ints: 8, type: 20 } as const;
const ATTRIBUTE_TYPE = { float: 1, int: 2, string: 3, graph: 5, ints: 7 } as const;
const TENSOR = { dims: 1, dataType: 2, name: 8, rawData: 9, externalData: 13, dataLocation: 14 } as const;
const EXTERNAL_LOCATION = 1;
const ENTRY = { key: 1, value: 2 } as const;
const VALUE_INFO = { name: 1, type: 2 } as const;

/** Everything a graph consists of, inputs before the nodes that use them. */
interface Listing {
  readonly nodes: readonly OperatorNode[];
  readonly leaves: readonly Value[];
}

/** @param outside values that are computed elsewhere: the listing stops at them. */
function list(outputs: readonly Value[], outside: readonly Value[] = []): Listing {
  const nodes: OperatorNode[] = [];
  const leaves: Value[] = [];
  const done = new Set<object>(outside.map(({ producer }) => producer));
  const stack: { value: Value; entered: boolean }[] = outputs
    .map((value) => ({ value, entered: false }))
    .reverse();
  while (stack.length > 0) {
    const top = stack[stack.length - 1] as { value: Value; entered: boolean };
    const { producer } = top.value;
    if (done.has(producer)) {
      stack.pop();
    } else if (producer.kind === "composite") {
      done.add(producer);
      stack.pop();
      stack.push({ value: producer.definition, entered: false });
    } else if (producer.kind !== "operator") {
      done.add(producer);
      leaves.push(top.value);
      stack.pop();
    } else if (!top.entered) {
      top.entered = true;
      for (const operand of producer.inputs)
        if (operand !== undefined) stack.push({ value: operand, entered: false });
    } else {
      done.add(producer);
      nodes.push(producer);
      for (const branch of Object.values(producer.branches ?? {}))
        leaves.push(...list([branch], definedValues(producer.inputs)).leaves);
      stack.pop();
    }
  }
  return { nodes, leaves };
}

function definedValues(values: readonly (Value | undefined)[]): Value[] {
  return values.filter((value) => value !== undefined);
}

class GraphWriter {
  readonly #graph = new MessageWriter();
  readonly #names = new Map<Value, string>();
  readonly #constants = new Map<string, string>();
  /** Where the value of a symbol can be read when run: an input's axis of this size, or a whole multiple of it. */
  readonly #symbolSources = new Map<string, { inputName: string; axis: number; multiple: number }>();
  readonly #sizeScalars = new Map<string, string>();
  #next = 0;

  freshName(stem: string): string {
    return `${stem}.${this.#next++}`;
  }

  name(value: Value): string {
    const known = this.#names.get(value);
    if (known !== undefined) return known;
    const { producer } = value;
    let name: string;
    if (producer.kind === "input" || producer.kind === "parameter") name = producer.name;
    else if (producer.kind === "constant")
      name = this.constant(value.dtype, value.shape as number[], producer.data);
    else if (producer.kind === "sizes") name = this.sizeVector(producer.sizes);
    else if (producer.kind === "composite") name = this.name(producer.definition);
    else name = this.freshName(producer.operator.name);
    this.#names.set(value, name);
    return name;
  }

  declareInput(port: Port): void {
    this.#graph.message(GRAPH.input, valueInfo(port));
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
    this.node("Identity", [this.name(value)], [port.name]);
    this.#graph.message(GRAPH.output, valueInfo(port));
  }

  /** An initializer whose bytes stand in the external file of the parameter's name. */
  externalParameter(port: Port): void {
    const tensor = new MessageWriter();
    for (const dim of port.shape) tensor.integer(TENSOR.dims, dim as number);
    tensor.integer(TENSOR.dataType, ONNX_TYPE[port.dtype]);
    tensor.string(TENSOR.name, port.name);
    const byteLength = (port.shape as readonly number[]).reduce((a, b) => a * b, 4);
    for (const [key, text] of [
      ["location", port.name],
      ["offset", "0"],
      ["length", String(byteLength)],
    ] as const) {
      const entry = new MessageWriter();
      entry.string(ENTRY.key, key);
      entry.string(ENTRY.value, text);
      tensor.message(TENSOR.externalData, entry);
    }
    tensor.integer(TENSOR.dataLocation, EXTERNAL_LOCATION);
    this.#graph.message(GRAPH.initializer, tensor);
  }

  constant(dtype: ValueType, shape: readonly number[], data: readonly number[]): string {
    const key = `${dtype}[${shape.join()}]${data.join()}`;
    const known = this.#constants.get(key);
    if (known !== undefined) return known;
    const name = this.freshName("constant");
    const tensor = new MessageWriter();
    for (const dim of shape) tensor.integer(TENSOR.dims, dim);
    tensor.integer(TENSOR.dataType, ONNX_TYPE[dtype]);
    tensor.string(TENSOR.name, name);
    const array =
      dtype === "float32"
        ? Float32Array.from(data)
        : dtype === "int64"
          ? BigInt64Array.from(data, (value) => BigInt(value))
          : Uint8Array.from(data);
    tensor.bytes(TENSOR.rawData, new Uint8Array(array.buffer));
    this.#graph.message(GRAPH.initializer, tensor);
    this.#constants.set(key, name);
    return name;
  }

  node(
    type: string,
    inputs: readonly string[],
    outputs: readonly string[],
    attributes: Readonly<Record<string, Attribute>> = {},
    domain = "",
    branches: readonly MessageWriter[] = [],
    graph = this.#graph,
  ): void {
    const message = new MessageWriter();
    for (const inputName of inputs) message.string(NODE.input, inputName);
    for (const outputName of outputs) message.string(NODE.output, outputName);
    message.string(NODE.name, `${outputs[0]}/${type}`);
    message.string(NODE.opType, type);
    for (const [key, value] of Object.entries(attributes))
      message.message(NODE.attribute, attribute(key, value));
    for (const branch of branches) message.message(NODE.attribute, branch);
    if (domain !== "") message.string(NODE.domain, domain);
    graph.message(GRAPH.node, message);
  }

  /** Constants and sizes always stand in the outermost graph, which every branch sees. */
  operator(node: OperatorNode, graph?: MessageWriter): void {
    const inputs = node.inputs.map((operand) => (operand === undefined ? "" : this.name(operand)));
    const outputs = node.outputs.map((output) => this.name(output));
    const { type, domain } = node.operator.onnx;
    if (node.branches === undefined) {
      this.node(type, inputs, outputs, node.attributes, domain, [], graph);
      return;
    }
    const branches = Object.entries(node.branches).map(([name, value]) =>
      this.#branch(name, value, definedValues(node.inputs)),
    );
    this.node(type, inputs.slice(0, 1), outputs, node.attributes, domain, branches, graph);
  }

  #branch(name: string, value: Value, outside: readonly Value[]): MessageWriter {
    const graph = new MessageWriter();
    for (const node of list([value], outside).nodes) this.operator(node, graph);
    const output = this.freshName(name);
    this.node("Identity", [this.name(value)], [output], {}, "", [], graph);
    graph.string(GRAPH.name, output);
    graph.message(GRAPH.output, valueInfo({ name: output, dtype: value.dtype, shape: value.shape }));
    const message = new MessageWriter();
    message.string(ATTRIBUTE.name, name);
    message.message(ATTRIBUTE.graph, graph);
    message.integer(ATTRIBUTE.type, ATTRIBUTE_TYPE.graph);
    return message;
  }

  /** int64 [n]: a constant when every size is known, else joined from single sizes. */
  sizeVector(dims: Shape): string {
    if (dims.every((dim) => typeof dim === "number"))
      return this.constant("int64", [dims.length], dims as number[]);
    const parts = dims.map((dim) => this.sizeScalar(dim));
    if (parts.length === 1) return parts[0] as string;
    const name = this.freshName("sizes");
    this.node("Concat", parts, [name], { axis: 0 });
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
    this.node(type, [left, right], [name]);
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
    this.node("Shape", [source.inputName], [name], { start: source.axis, end: source.axis + 1 });
    if (source.multiple !== 1) {
      const multiple = name;
      name = this.freshName(symbol);
      this.node("Div", [multiple, this.constant("int64", [1], [source.multiple])], [name]);
    }
    this.#sizeScalars.set(symbol, name);
    return name;
  }

  finish(): Uint8Array {
    this.#graph.string(GRAPH.name, "nextstep");
    const model = new MessageWriter();
    model.integer(MODEL.irVersion, IR_VERSION);
    model.string(MODEL.producerName, "nextstep");
    for (const [domain, version] of [
      ["", OPSET],
      ["com.microsoft", 1],
    ] as const) {
      const set = new MessageWriter();
      set.string(OPERATOR_SET.domain, domain);
      set.integer(OPERATOR_SET.version, version);
      model.message(MODEL.opsetImport, set);
    }
    model.message(MODEL.graph, this.#graph);
    return model.finish();
  }
}

function attribute(name: string, value: Attribute): MessageWriter {
  const message = new MessageWriter();
  message.string(ATTRIBUTE.name, name);
  if (typeof value === "number") {
    message.integer(ATTRIBUTE.int, value);
    message.integer(ATTRIBUTE.type, ATTRIBUTE_TYPE.int);
  } else if (typeof value === "string") {
    message.string(ATTRIBUTE.string, value);
    message.integer(ATTRIBUTE.type, ATTRIBUTE_TYPE.string);
  } else if ("float" in value) {
    message.float(ATTRIBUTE.float, value.float);
    message.integer(ATTRIBUTE.type, ATTRIBUTE_TYPE.float);
  } else {
    for (const element of value) message.integer(ATTRIBUTE.ints, element);
    message.integer(ATTRIBUTE.type, ATTRIBUTE_TYPE.ints);
  }
  return message;
}

function valueInfo(port: Port): MessageWriter {
  const shape = new MessageWriter();
  for (const dim of port.shape) {
    const dimension = new MessageWriter();
    if (typeof dim === "number") dimension.integer(1, dim);
    else dimension.string(2, dim);
    shape.message(1, dimension);
  }
  const tensorType = new MessageWriter();
  tensorType.integer(1, ONNX_TYPE[port.dtype]);
  tensorType.message(2, shape);
  const type = new MessageWriter();
  type.message(1, tensorType);
  const info = new MessageWriter();
  info.string(VALUE_INFO.name, port.name);
  info.message(VALUE_INFO.type, type);
  return info;
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
 * @throws ShapeError when a symbolic size cannot be read off any input, or a name stands for two shapes.
 */
export function writeOnnx(outputs: Readonly<Record<string, Value>>, options: OnnxWriterOptions): OnnxModel {
  const { nodes, leaves } = list(Object.values(outputs));
  const parameters = namedPorts(leaves, "parameter");
  for (const port of parameters) {
    const symbols = port.shape.flatMap(symbolsOf);
    if (symbols.length > 0)
      throw new ShapeError(`parameter "${port.name}" has a symbolic size ${symbols[0]}`);
  }
  const inputs = [...namedPorts(leaves, "input"), ...(options.parameters === "inputs" ? parameters : [])];
  const writer = new GraphWriter();
  for (const port of inputs) writer.declareInput(port);
  if (options.parameters === "initializers") for (const port of parameters) writer.externalParameter(port);
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
