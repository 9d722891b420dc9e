/** @file Drawn pictures as the inputs of their replay. */
import type { DrawingOrder } from "../../generate/drawing-order.ts";
import type { SolverRow } from "../../generate/solvers.ts";
import { type NextStepConfig, tokenWidth } from "../../model/config.ts";
import type { HostTensor } from "../../runtime/engine.ts";
import { IGNORED_LABEL } from "../../sequence/segments.ts";
import { joinedFloats } from "../../tensor/joined.ts";
import type { AttentionMasks } from "../objective/attention-mask.ts";
import type { TokenRows } from "../objective/token-rows.ts";
import { sequenceFeeds } from "../objective/training-feeds.ts";
import type { Rollout } from "./rollout.ts";

/** Rows of whole sequences, prompt and drawn tokens, in which nothing but these tokens is predicted. */
function replayRows(
  { placeholder, pad }: NextStepConfig,
  rollouts: readonly Rollout[],
  order: DrawingOrder | undefined,
): TokenRows {
  const lengths = rollouts.map(({ ids, grid: [height, width] }) => ids.length + height * width);
  const tokens = Math.max(...lengths);
  const ids = new Int32Array(rollouts.length * tokens).fill(pad ?? 0);
  rollouts.forEach((rollout, row) => {
    ids.set(rollout.ids, row * tokens);
    ids.fill(placeholder, row * tokens + rollout.ids.length, row * tokens + (lengths[row] as number));
  });
  return {
    rows: rollouts.length,
    tokens,
    ids,
    labels: new Int32Array(ids.length).fill(IGNORED_LABEL),
    images: rollouts.map(({ tokens: drawn }) => ({ tokens: drawn, read: drawn, predicted: true, order })),
  };
}

/**
 * The inputs of {@link replayGraph} but those that say what is to be learnt.
 * @param rollouts of one size, drawn in `order`; raster order without it
 * @param solverRows of the solver's table, of the steps that the rollouts have
 */
export function replayFeeds(
  config: NextStepConfig,
  rollouts: readonly Rollout[],
  solverRows: readonly SolverRow[],
  order: DrawingOrder | undefined,
  masks: AttentionMasks,
): Readonly<Record<string, HostTensor>> {
  const rows = rollouts.length;
  const steps = solverRows.length;
  const [height, width] = (rollouts[0] as Rollout).grid;
  const cells = height * width;
  const shape = [rows, cells, steps, tokenWidth(config)];
  const column = (name: "t" | "a" | "b", columnShape: readonly number[]): HostTensor =>
    floats(
      columnShape,
      Float32Array.from(solverRows, (row) => row[name]),
    );
  const { feeds } = sequenceFeeds(config, replayRows(config, rollouts, order), masks);
  return {
    ...feeds,
    states: floats(shape, joinedFloats(rollouts.map(({ path }) => path.states))),
    next: floats(shape, joinedFloats(rollouts.map(({ path }) => path.next))),
    drawn_logs: floats([rows, cells, steps], joinedFloats(rollouts.map(({ path }) => path.logs))),
    times: column("t", [steps]),
    a: column("a", [steps, 1]),
    b: column("b", [steps, 1]),
  };
}

export function floats(shape: readonly number[], data: Float32Array): HostTensor {
  return { dtype: "float32", shape, data };
}

export function scalar(value: number): HostTensor {
  return floats([], Float32Array.of(value));
}
