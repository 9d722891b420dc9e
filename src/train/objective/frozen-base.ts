/** @file A model of which only what stands beside its weights is trained. */
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
