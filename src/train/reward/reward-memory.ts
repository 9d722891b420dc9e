/** @file What reward learning takes in memory, from the model and the settings alone, before anything is bound. */
import type { ModelFolder } from "../../checkpoint/model-folder.ts";
import { CachedRows } from "../../generate/cached-rows.ts";
import { boundBytes } from "../../generate/part-weights.ts";
import { BASE_COPIES, type TrainingMemory, trainingMemory, updateSizes } from "../adapter/adapter-memory.ts";
import type { FrozenBase } from "../objective/frozen-base.ts";
import { replayGraph } from "./replay-graph.ts";

export interface RewardUpdate {
  /** Pictures that are replayed at once, and such that are drawn at once. */
  readonly replayed: number;
  readonly drawn: number;
  /** Of a picture. */
  readonly cells: number;
  /** Of the solver, that are learnt from. */
  readonly steps: number;
  /** Trained numbers. */
  readonly trained: number;
  readonly pulls: boolean;
  readonly gradientCheckpointing: boolean;
}

/** @param network Default: all weights are trained, which are then no weights of the training's session. */
export function rewardMemory(
  { parameters, tensors, config }: Pick<ModelFolder, "parameters" | "tensors" | "config">,
  network: FrozenBase | undefined,
  { replayed, drawn, cells, steps, trained, pulls, gradientCheckpointing }: RewardUpdate,
): TrainingMemory {
  const bound = boundBytes(parameters, tensors.weightPlan);
  const copies = (network === undefined ? 0 : BASE_COPIES) + 1 + (pulls ? 1 : 0);
  const sizes = updateSizes(replayed, cells).set("cells", cells).set("steps", steps);
  const places = sizes.get("tokens") ?? cells;
  const caches = CachedRows.bytes(config, drawn, places);
  const graph = replayGraph(config, { maskPerRow: true, pulls, gradientCheckpointing }, network);
  return trainingMemory({ base: bound * copies + caches, trained }, graph, sizes);
}
