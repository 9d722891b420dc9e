/** @file Which weights of a graph are bound once, when its session is created. */
import type { OnnxModel, Port } from "../graph/onnx-writer.ts";

/** The parameters that a session needs bytes for: those that were written as initializers. */
export function boundParameters(model: OnnxModel): readonly Port[] {
  const inputs = new Set(model.inputs.map(({ name }) => name));
  return model.parameters.filter(({ name }) => !inputs.has(name));
}
