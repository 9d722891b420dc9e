/** @file The messages of an ONNX file (onnx.proto, release 1.16): nodes, attributes, tensors, ports, the model. */
import { ONNX_TYPE } from "./operators/cast.ts";
import { MessageWriter } from "./protobuf.ts";
import type { Shape } from "./size.ts";
import type { Attribute, Kernel, ValueType } from "./value.ts";

/** A named tensor at the border of a graph. */
export interface Port {
  readonly name: string;
  readonly dtype: ValueType;
  readonly shape: Shape;
}

/** Where the bytes of a weight stand: in a file, or in a buffer that the session is given under `location`. */
export interface WeightPlace {
  readonly location: string;
  readonly offset: number;
  readonly length: number;
}

const IR_VERSION = 10;
const OPSET = 21;

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
const TYPE = { tensor: 1 } as const;
const TENSOR_TYPE = { elementType: 1, shape: 2 } as const;
const SHAPE = { dimension: 1 } as const;
const DIMENSION = { value: 1, symbol: 2 } as const;

/** Collects the parts of a graph in the order in which they come. */
export class GraphMessage {
  readonly #graph = new MessageWriter();

  input(port: Port): void {
    this.#graph.message(GRAPH.input, valueInfo(port));
  }

  output(port: Port): void {
    this.#graph.message(GRAPH.output, valueInfo(port));
  }

  constant(name: string, dtype: ValueType, shape: readonly number[], data: Uint8Array): void {
    const tensor = tensorHead({ name, dtype, shape });
    tensor.bytes(TENSOR.rawData, data);
    this.#graph.message(GRAPH.initializer, tensor);
  }

  /** A weight whose bytes stand elsewhere. */
  externalTensor(port: Port, { location, offset, length }: WeightPlace): void {
    const tensor = tensorHead(port);
    for (const [key, text] of [
      ["location", location],
      ["offset", String(offset)],
      ["length", String(length)],
    ] as const) {
      const entry = new MessageWriter();
      entry.string(ENTRY.key, key);
      entry.string(ENTRY.value, text);
      tensor.message(TENSOR.externalData, entry);
    }
    tensor.integer(TENSOR.dataLocation, EXTERNAL_LOCATION);
    this.#graph.message(GRAPH.initializer, tensor);
  }

  /** @param nested graphs that the node runs, by attribute. */
  node(
    { type, domain }: Kernel,
    inputs: readonly string[],
    outputs: readonly string[],
    attributes: Readonly<Record<string, Attribute>> = {},
    nested: Readonly<Record<string, GraphMessage>> = {},
  ): void {
    const message = new MessageWriter();
    for (const inputName of inputs) message.string(NODE.input, inputName);
    for (const outputName of outputs) message.string(NODE.output, outputName);
    message.string(NODE.name, `${outputs[0]}/${type}`);
    message.string(NODE.opType, type);
    for (const [key, value] of Object.entries(attributes))
      message.message(NODE.attribute, attribute(key, value));
    for (const [key, graph] of Object.entries(nested)) {
      const value = new MessageWriter();
      value.string(ATTRIBUTE.name, key);
      value.message(ATTRIBUTE.graph, graph.#named(key));
      value.integer(ATTRIBUTE.type, ATTRIBUTE_TYPE.graph);
      message.message(NODE.attribute, value);
    }
    if (domain !== "") message.string(NODE.domain, domain);
    this.#graph.message(GRAPH.node, message);
  }

  /** A graph must have a name. */
  #named(name: string): MessageWriter {
    this.#graph.string(GRAPH.name, name);
    return this.#graph;
  }

  /** The whole model. */
  finish(): Uint8Array {
    const graph = this.#named("nextstep");
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
    model.message(MODEL.graph, graph);
    return model.finish();
  }

  /** These parts alone, to stand behind the bytes of a finished model. */
  finishAddition(): Uint8Array {
    const model = new MessageWriter();
    model.message(MODEL.graph, this.#graph);
    return model.finish();
  }
}

function tensorHead({ name, dtype, shape }: Port): MessageWriter {
  const tensor = new MessageWriter();
  for (const dim of shape) tensor.integer(TENSOR.dims, dim as number);
  tensor.integer(TENSOR.dataType, ONNX_TYPE[dtype]);
  tensor.string(TENSOR.name, name);
  return tensor;
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
    if (typeof dim === "number") dimension.integer(DIMENSION.value, dim);
    else dimension.string(DIMENSION.symbol, dim);
    shape.message(SHAPE.dimension, dimension);
  }
  const tensorType = new MessageWriter();
  tensorType.integer(TENSOR_TYPE.elementType, ONNX_TYPE[port.dtype]);
  tensorType.message(TENSOR_TYPE.shape, shape);
  const type = new MessageWriter();
  type.message(TYPE.tensor, tensorType);
  const info = new MessageWriter();
  info.string(VALUE_INFO.name, port.name);
  info.message(VALUE_INFO.type, type);
  return info;
}
