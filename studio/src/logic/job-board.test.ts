import { describe, expect, it } from "vitest";
import { testJob } from "../test-jobs.ts";
import { inOrder, moveTarget, standing, withJob, withList } from "./job-board.ts";

const progress = { token: 9, of: 64, rows: 1, of_rows: 8, seconds_left: 3 };
const drawing = testJob({ id: "drawn", status: "drawing", progress });
const [first, second, third] = ["first", "second", "third"].map((id, at) =>
  testJob({ id, queue_position: at }),
) as [ReturnType<typeof testJob>, ReturnType<typeof testJob>, ReturnType<typeof testJob>];

describe("the board", () => {
  it("has what is drawn in front, then the queue in its order", () => {
    expect(inOrder([third, first, drawing, second]).map(({ id }) => id)).toEqual([
      "drawn",
      "first",
      "second",
      "third",
    ]);
  });

  it("takes a list for what it is, and says which jobs have ended", () => {
    const { jobs, gone } = withList([drawing, first], [second], undefined);
    expect(jobs).toEqual([second]);
    expect(gone.map(({ id }) => id)).toEqual(["drawn", "first"]);
  });

  it("believes events of the followed job more than a list that is under way", () => {
    const older = testJob({ ...drawing, progress: { ...progress, token: 3 } });
    expect(withList([drawing], [older], "drawn").jobs).toEqual([drawing]);
    expect(withList([drawing], [older], undefined).jobs).toEqual([older]);
    const requeued = testJob({ id: "drawn", queue_position: 0 });
    expect(withList([drawing], [requeued], "drawn").jobs).toEqual([requeued]);
  });

  it("takes a job in, in its place, and lets go of it when it has ended", () => {
    expect(withJob([first], drawing)).toEqual([drawing, first]);
    expect(withJob([drawing, first], testJob({ id: "drawn", status: "failed" }))).toEqual([first]);
  });
});

describe("an event of a job that waits", () => {
  it("leaves the order of the list", () => {
    const board = [first, second];
    const moved = testJob({ id: "second", queue_position: 0 });
    expect(withJob(board, moved).map(({ id }) => id)).toEqual(["first", "second"]);
    expect(
      withList(board, [moved, testJob({ id: "first", queue_position: 1 })], "second").jobs,
    ).toMatchObject([{ id: "second" }, { id: "first" }]);
  });
});

describe("moveTarget", () => {
  const board = [drawing, first, second, third];
  it("names the job in front of which one comes", () => {
    expect(moveTarget(board, "third", -1)).toBe("second");
    expect(moveTarget(board, "first", 1)).toBe("third");
    expect(moveTarget(board, "second", 1)).toBeNull();
  });

  it("is nothing at the ends, and for what is drawn", () => {
    expect([
      moveTarget(board, "first", -1),
      moveTarget(board, "third", 1),
      moveTarget(board, "drawn", 1),
    ]).toEqual([undefined, undefined, undefined]);
  });
});

describe("standing", () => {
  it("says where a job is", () => {
    expect([first, third, drawing].map(standing)).toEqual(["next", "2 before it", "row 2 of 8"]);
    expect(standing(testJob({ id: "a", status: "drawing" }))).toBe("reading the prompt");
    expect(standing(testJob({ id: "a", status: "drawing", progress: { ...progress, rows: 8 } }))).toBe(
      "finishing",
    );
    expect(standing(testJob({ id: "a", status: "cancelled" }))).toBe("cancelled");
  });
});
