import { expect, it } from "vitest";
import { ProgressLine } from "./progress-line.ts";

function recorder(isTTY: boolean) {
  const written: string[] = [];
  return { isTTY, columns: 80, written, write: (text: string) => written.push(text) };
}

it("estimates the time left from the first call on", () => {
  let now = 10_000;
  const stream = recorder(true);
  const line = new ProgressLine(stream, () => now);
  line.update("drawing", 1, 64);
  now += 1000;
  line.update("drawing", 11, 64);
  // Ten tokens a second, 53 to go.
  expect(stream.written.at(-1)).toContain("11/64, 5s left");
  line.clear();
  expect(stream.written.at(-1)).toBe("\r\u001b[2K");
});

it("is silent where nobody watches", () => {
  const stream = recorder(false);
  const line = new ProgressLine(stream, () => 0);
  line.update("drawing", 1, 2);
  line.clear();
  expect(stream.written).toEqual([]);
});
