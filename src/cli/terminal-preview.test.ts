import { expect, it } from "vitest";
import { colorDepthOf, renderPreview } from "./terminal-preview.ts";

/** Left half red, right half blue. */
const image = {
  width: 4,
  height: 4,
  data: Uint8Array.from({ length: 48 }, (_, at) => {
    const column = Math.floor(at / 3) % 4;
    return at % 3 === (column < 2 ? 0 : 2) ? 255 : 0;
  }),
};

it("shows two pixels a cell in 24-bit colours", () => {
  const lines = renderPreview(image, 4, "truecolor").split("\n");
  expect(lines).toHaveLength(2);
  for (const line of lines) {
    expect(line.match(/▀/g)).toHaveLength(4);
    expect(line.indexOf("38;2;255;0;0")).toBeLessThan(line.indexOf("38;2;0;0;255"));
    expect(line.endsWith("\u001b[0m")).toBe(true);
  }
});

it("averages pixels of a cell and maps them to the 256-colour cube", () => {
  const one = renderPreview(image, 1, "256");
  // Half red, half blue: about 128 each, step 3 of 5.
  expect(one).toContain(`38;5;${16 + 36 * 3 + 3}`);
});

it("reads the colour depth off the stream and the environment", () => {
  const depth = (environment: Readonly<Record<string, string>>, isTTY = true) =>
    colorDepthOf({ isTTY }, environment);
  expect(depth({ TERM: "xterm-256color", COLORTERM: "truecolor" })).toBe("truecolor");
  expect(depth({ TERM: "xterm-256color" })).toBe("256");
  expect(depth({ TERM: "xterm-256color", COLORTERM: "truecolor", NO_COLOR: "1" })).toBeUndefined();
  expect(depth({ TERM: "dumb", COLORTERM: "truecolor" })).toBeUndefined();
  expect(depth({ TERM: "xterm-256color", CI: "1" })).toBeUndefined();
  expect(depth({ TERM: "dumb", FORCE_COLOR: "3" })).toBe("truecolor");
  expect(depth({ TERM: "xterm-256color", FORCE_COLOR: "0" })).toBeUndefined();
  // Names are read there.
  expect(depth({ FORCE_COLOR: "3" }, false)).toBeUndefined();
});
