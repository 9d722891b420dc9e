/** @file The way of each token as the loop tells it: it ends at the token, by the table, and changes no bit of it. */
import { describe, expect, it } from "vitest";
import type { Slot } from "./slot.ts";
import type { SolverPath } from "./solver-path.ts";
import { afresh, drawTogether, openTestSessions, testSlots } from "./test-models.ts";

const WIDTH = 64;

/** Largest of |x' - (a x + b v + c n)| over all steps, v being that of the only branch. */
function deviation(slot: Slot, { cell, states, velocities }: SolverPath): number {
  const turn = slot.canvas.order.turnOf(cell);
  const noise = slot.noise(turn);
  return Math.max(
    ...slot.table(turn).flatMap(({ a, b, c }, step) =>
      Array.from({ length: WIDTH }, (_, i) => {
        const at = step * WIDTH + i;
        const moved = a * (states[at] as number) + b * (velocities[at] as number);
        return Math.abs((states[at + WIDTH] as number) - moved - c * (noise[at + WIDTH] ?? 0));
      }),
    ),
  );
}

describe("paths of solvers", () => {
  it("lead by each one's table to the tokens that are drawn without being watched", async () => {
    await using model = await openTestSessions("default");
    const { sessions } = model;
    const plain = { cfg: 1, cfgImg: 1, schedule: "constant" } as const;
    const grid = [2, 3] as const;
    // 40 steps of two pictures are more than one run of the head.
    const [many] = await testSlots(sessions, ["a blue boat"], [1], {
      ...{ grid, sampler: "cps", solver: { steps: 40 }, guidance: plain },
    });
    const [few] = await testSlots(sessions, ["a cat"], [2], {
      ...{ grid, sampler: "cps", solver: { steps: 5 }, guidance: plain, rowLag: 1 },
    });
    const [guided] = await testSlots(sessions, ["rain"], [3], { grid, sampler: "ode", solver: { steps: 7 } });
    const slots = [few, many, guided] as Slot[];
    const unwatched = await drawTogether(
      sessions,
      slots.map((slot) => afresh(slot)),
    );
    const paths = slots.map((): SolverPath[] => []);
    const watched = slots.map((slot, index) =>
      index === 2 ? afresh(slot) : afresh(slot, { watch: (path) => paths[index]?.push(path) }),
    );
    expect(await drawTogether(sessions, watched)).toEqual(unwatched);
    expect(paths.map(({ length }) => length)).toEqual([6, 6, 0]);
    for (const index of [0, 1]) {
      const slot = watched[index] as Slot;
      for (const path of paths[index] ?? []) {
        const { length } = slot.table(0);
        expect(path.states).toHaveLength((length + 1) * WIDTH);
        expect(path.velocities).toHaveLength(length * WIDTH);
        expect(path.states.slice(-WIDTH)).toEqual(slot.canvas.cells(path.cell, path.cell + 1));
        expect(path.states.slice(0, WIDTH)).toEqual(
          slot.noise(slot.canvas.order.turnOf(path.cell)).slice(0, WIDTH),
        );
        // Rounding of numbers of a few units to float32, of three terms.
        expect(deviation(slot, path)).toBeLessThan(2e-6);
      }
    }
  });

  it("has the velocities of all branches", async () => {
    await using model = await openTestSessions("v1.1");
    const paths: SolverPath[] = [];
    const [slot] = await testSlots(model.sessions, ["rain"], [3], {
      ...{ grid: [1, 2], sampler: "ode", solver: { steps: 3 }, watch: (path) => paths.push(path) },
    });
    await drawTogether(model.sessions, [slot as Slot]);
    expect(paths.map(({ velocities }) => velocities.length)).toEqual([2 * 3 * WIDTH, 2 * 3 * WIDTH]);
  });
});
