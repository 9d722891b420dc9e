import { expect, it } from "vitest";
import { formatDuration } from "./progress-stream.ts";

it("names spans of time by their two largest units", () => {
  expect([-3, 0.4, 59.6, 200, 3599.7, 3900, 90_000].map(formatDuration)).toEqual([
    "0s",
    "0s",
    "1m00s",
    "3m20s",
    "1h00m",
    "1h05m",
    "25h00m",
  ]);
  expect(formatDuration(Number.POSITIVE_INFINITY)).toBe("?");
});
