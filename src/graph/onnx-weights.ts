/** @file Binds the weights of a written graph: says where the bytes of each initializer stand. */
import { InputError } from "../errors.ts";
import { GraphMessage, type Port, type WeightPlace } from "./onnx-messages.ts";
import type { OnnxModel } from "./onnx-writer.ts";

/** The parameters that a session needs bytes for: those that were written as initializers. */
export function boundParameters(model: Pick<OnnxModel, "inputs" | "parameters">): readonly Port[] {
  const inputs = new Set(model.inputs.map(({ name }) => name));
  return model.parameters.filter(({ name }) => !inputs.has(name));
}

/**
 * The complete model. Protocol buffers merge what stands behind each other, so the weights are added to the end.
 * @param places by parameter name.
 * @throws InputError when a weight has no place.
 */
export function bindWeights(model: OnnxModel, places: ReadonlyMap<string, WeightPlace>): Uint8Array {
  const weights = new GraphMessage();
  for (const port of boundParameters(model)) {
    const place = places.get(port.name);
    if (place === undefined) throw new InputError("has no bytes", { where: `parameter "${port.name}"` });
    weights.externalTensor(port, place);
  }
  const addition = weights.finishAddition();
  const whole = new Uint8Array(model.bytes.byteLength + addition.byteLength);
  whole.set(model.bytes);
  whole.set(addition, model.bytes.byteLength);
  return whole;
}
