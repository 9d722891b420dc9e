/** @file Log-probabilities that are replayed in one pass equal those of drawing token by token, up to rounding. */
import { afterAll, describe, expect, it } from "vitest";
import { DrawingOrder } from "../../generate/drawing-order.ts";
import { pixelsPerToken } from "../../generate/image-coder.ts";
import { solverTable } from "../../generate/solvers.ts";
import { openTestSessions } from "../../generate/test-models.ts";
import { LocalEngine } from "../../runtime/node/local-engine.ts";
import { loadTokenizer } from "../../sequence/tokenizer.ts";
import { AttentionMasks } from "../objective/attention-mask.ts";
import { replayFeeds } from "./replay-feeds.ts";
import { baseVelocities } from "./replay-graph.ts";
import { drawRollouts, ROLLOUT_SAMPLER, type Rollout } from "./rollout.ts";

const SOLVER = { steps: 6, noiseLevel: 0.8, shift: 1 };

/** Log-probabilities of the same steps by the parallel pass, from its velocities. [cells, steps] of each rollout */
function replayed(
  rollouts: readonly Rollout[],
  velocities: Float32Array,
  table: readonly { readonly a: number; readonly b: number }[],
): number[][] {
  let at = 0;
  return rollouts.map(({ path: { states, next, logs } }) =>
    Array.from(logs, (_, place) => {
      const width = states.length / logs.length;
      const { a, b } = table[place % table.length]!;
      let squares = 0;
      for (let i = 0; i < width; i++) {
        const mean = a * states[place * width + i]! + b * velocities[at++]!;
        squares += (next[place * width + i]! - mean) ** 2;
      }
      return -squares / width;
    }),
  );
}

describe("a replay", () => {
  const engine = new LocalEngine({ threads: 1 });
  afterAll(() => engine[Symbol.asyncDispose]());

  it.each([
    ["v1.1", null, [2]],
    ["default", null, [0, 1, 4]],
    ["default", 2, [0, 1, 2, 3, 4]],
  ] as const)(
    "has the log-probabilities of the drawing: %s, lag %s, steps %j",
    async (name, rowLag, steps) => {
      await using model = await openTestSessions(name);
      const { folder } = model.sessions;
      const wanted = ["a cat", "three dogs on a blue background", "a cat"].map((prompt, seed) => ({
        prompt,
        seed,
      }));
      const side = pixelsPerToken(model.sessions);
      const size = [4 * side, 3 * side] as const;
      const tokenizer = await loadTokenizer(folder.files);
      const settings = {
        tokenizer,
        size,
        solver: SOLVER,
        rowLag,
        useNorm: false,
        code: "P-B",
        together: 8,
      } as const;
      const rollouts = await drawRollouts(model.sessions, wanted, settings, { steps });
      const table = solverTable(ROLLOUT_SAMPLER, SOLVER);
      const rows = steps.map((step) => table[step]!);
      const order = new DrawingOrder([4, 3], rowLag);
      const own = order.staggered ? order : undefined;
      const feeds = replayFeeds(folder.config, rollouts, rows, own, new AttentionMasks());
      const { weightPlan, weightSource } = folder.tensors;
      const session = await baseVelocities(
        engine,
        folder.config,
        { maskPerRow: own !== undefined },
        { weightPlan, weightSource },
      );
      const inputs = new Set(session.model.inputs.map(({ name: input }) => input));
      const given = Object.fromEntries(Object.entries(feeds).filter(([input]) => inputs.has(input)));
      const { velocities } = await session.run(given);
      const logs = replayed(rollouts, velocities!.data as Float32Array, rows);
      const differences = rollouts.flatMap((rollout, index) =>
        Array.from(rollout.path.logs, (log, place) => Math.abs(log - logs[index]![place]!)),
      );
      expect(differences).toHaveLength(36 * steps.length);
      // Of logarithms of 0.02 to 0.9. Over a cache, the attention's sums are taken in another order, and states of a few units
      // are rounded to float32. Measured: 8e-8 at most.
      expect(Math.max(...differences)).toBeLessThan(1e-6);
    },
  );
});
