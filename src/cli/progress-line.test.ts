import { expect, it } from "vitest";
import { ProgressLine, progressLine } from "./progress-line.ts";
import { ERASE_LINE } from "./progress-stream.ts";

function recorder(isTTY: boolean) {
  const written: string[] = [];
  return { isTTY, columns: 80, written, write: (text: string) => written.push(text) };
}

it("estimates the time left from the first call on", () => {
  let now = 10_000;
  const stream = recorder(true);
  const line = new ProgressLine(stream, true, () => now);
  line.update("drawing", 1, 64);
  now += 1000;
  line.update("drawing", 11, 64);
  // Ten tokens a second, 53 to go.
  expect(stream.written.at(-1)).toContain("11/64, 5s left");
  line.clear();
  expect(stream.written.at(-1)).toBe("\r\u001b[2K");
});

it("adds a line now and then where none can be redrawn", () => {
  let now = 0;
  const stream = recorder(false);
  const line = new ProgressLine(stream, false, () => now);
  for (let token = 1; token <= 60; token++) {
    line.update("drawing", token, 64);
    now += 400;
  }
  expect(stream.written).toEqual(["drawing 26/64, 15s left\n", "drawing 51/64, 5s left\n"]);
});

it("is silent of what is short where lines cannot be redrawn, or nobody watches", () => {
  for (const [isTTY, environment] of [
    [false, {}],
    [true, { TERM: "dumb" }],
    [true, { TERM: "xterm", CI: "true" }],
  ] as const) {
    const err = recorder(isTTY);
    const line = progressLine({ err, environment });
    line.show("opening");
    line.update("drawing", 1, 2);
    line.clear();
    expect(err.written, JSON.stringify(environment)).toEqual([]);
  }
});

it("stays without colours, so that NO_COLOR changes nothing, and within the terminal's width", () => {
  for (const columns of [1, 2, 20, 80]) {
    const err = { ...recorder(true), columns };
    const line = progressLine({ err, environment: { TERM: "xterm", NO_COLOR: "1", CI: "false" } });
    line.update("drawing", 1, 64);
    expect(err.written).toHaveLength(1);
    const [text = ""] = err.written;
    expect(text.startsWith(ERASE_LINE)).toBe(true);
    expect(text.slice(ERASE_LINE.length)).not.toContain("\u001b");
    expect(text.length - ERASE_LINE.length).toBeLessThan(columns);
  }
});
