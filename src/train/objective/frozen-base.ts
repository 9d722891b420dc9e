/** @file A model of which some parameters are trained: what stands beside its weights, or some of these. */
import type { Value } from "../../graph/value.ts";
import type { ParameterScope } from "../../model/parameter-scope.ts";
import type { WeightSource } from "../../runtime/engine.ts";

/** How a graph holds such a model: its own weights are bound once, when a session is made, in whatever format. */
export interface FrozenBase {
  /** For a graph: model functions that ask it get the model with what stands beside it. */
  scope(): ParameterScope;
  /** Whether a parameter of such a graph is trained. */
  isTrained(name: string): boolean;
  /** The others. */
  readonly weights: WeightSource;
}

/** The parameters that a graph's scope was asked for so far and that are trained; without a base, all are. */
export function trainedParameters(scope: ParameterScope, base: FrozenBase | undefined): Value[] {
  return [...scope.values()].flatMap(([name, value]) => (base?.isTrained(name) === false ? [] : [value]));
}
