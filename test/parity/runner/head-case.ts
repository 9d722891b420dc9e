/** @file Kind `head`: time features, time embedding and velocity of the flow head (docs/nextstep-spec.md 2.2). */
import { add } from "../../../src/graph/operators/elementwise.ts";
import { input, type Value } from "../../../src/graph/value.ts";
import { tokenWidth } from "../../../src/model/config.ts";
import {
  conditionEmbedding,
  flowModulations,
  flowNet,
  timeEmbedding,
  timeFeatures,
} from "../../../src/model/flow-head.ts";
import { ParameterScope } from "../../../src/model/parameter-scope.ts";
import type { HostTensor } from "../../../src/runtime/engine.ts";
import type { CaseCheck } from "./case-check.ts";
import type { ParityCase } from "./parity-case.ts";
import type { ParityContext } from "./parity-context.ts";

export async function runHeadCase(test: ParityCase, check: CaseCheck, context: ParityContext): Promise<void> {
  const { config, tensors } = await context.model(test.model);
  const scope = new ParameterScope();
  const t = input("t", "float32", ["count"]);
  const x = input("x", "float32", ["count", tokenWidth(config)]);
  const condition = input("c", "float32", ["count", config.hiddenSize]);
  const time = timeEmbedding(scope, config, t);
  const y = add(time, conditionEmbedding(scope, config, condition));
  const outputs: Record<string, Value> = {
    // As drawing and training add them: embeddings once, then the net.
    v: flowNet(scope, config, x, flowModulations(scope, config, y)),
    time_features: timeFeatures(t),
    time_embedding: time,
  };
  const feeds: Record<string, HostTensor> = {};
  for (const name of ["x", "t", "c"]) {
    feeds[name] = { dtype: "float32", shape: check.shapeOf(name), data: await check.floats(name) };
  }
  const results = await context.compute(outputs, tensors, feeds);
  for (const [name, result] of Object.entries(results)) await check.compare(name, result);
}
