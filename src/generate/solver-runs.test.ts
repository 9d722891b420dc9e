import { describe, expect, it } from "vitest";
import { MODULATED_ROWS, solverRuns } from "./solver-runs.ts";

const alike = (count: number, steps: number, branches: number) =>
  Array.from({ length: count }, () => ({ steps, branches }));

describe("solverRuns", () => {
  it("takes all steps of one picture at once, up to a bound", () => {
    expect(solverRuns(alike(1, 28, 2))).toEqual([{ from: 0, to: 28, pictures: 1 }]);
    expect(solverRuns(alike(1, 50, 2))).toEqual([
      { from: 0, to: 32, pictures: 1 },
      { from: 32, to: 50, pictures: 1 },
    ]);
  });

  it("ends where pictures have no more steps, which then leave", () => {
    const pictures = [
      { steps: 9, branches: 1 },
      { steps: 5, branches: 2 },
      { steps: 5, branches: 1 },
      { steps: 2, branches: 3 },
    ];
    expect(solverRuns(pictures)).toEqual([
      { from: 0, to: 2, pictures: 4 },
      { from: 2, to: 5, pictures: 3 },
      { from: 5, to: 9, pictures: 1 },
    ]);
  });

  it("covers every step of every picture, with no more rows at once than the bound or one step's", () => {
    for (const pictures of [alike(16, 28, 2), alike(40, 3, 2), [...alike(2, 100, 3), ...alike(9, 7, 1)]]) {
      const runs = solverRuns(pictures);
      pictures.forEach(({ steps }, picture) => {
        const own = runs.filter((run) => run.pictures > picture);
        expect(own.flatMap(({ from, to }) => Array.from({ length: to - from }, (_, i) => from + i))).toEqual(
          Array.from({ length: steps }, (_, i) => i),
        );
      });
      for (const { from, to, pictures: present } of runs) {
        const rows = pictures.slice(0, present).reduce((total, { branches }) => total + branches, 0);
        expect((to - from) * rows).toBeLessThanOrEqual(Math.max(MODULATED_ROWS, rows));
      }
    }
  });
});
