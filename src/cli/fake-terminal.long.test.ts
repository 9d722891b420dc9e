/** @file What the command shows on a terminal, which util-linux's `script` plays, under the settings that terminals and CI systems have. */
import { spawn, spawnSync } from "node:child_process";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, it } from "vitest";

const COMMAND = fileURLToPath(new URL("./main.ts", import.meta.url));
const MODEL = fileURLToPath(new URL("../../test/parity/models/v1.1", import.meta.url));
const NODE = `"${process.execPath}" --import "${import.meta.resolve("tsx")}" "${COMMAND}"`;
const DRAW = `rain --seed 1 --size 48x32 --steps 2 --threads 1 --model "${MODEL}"`;
const HAS_SCRIPT = /util-linux/.test(spawnSync("script", ["--version"], { encoding: "utf8" }).stdout ?? "");

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "nextstep-terminal-"));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

/** Runs a line on a terminal of 80 columns; all that it shows, and the exit code. */
function onTerminal(
  line: string,
  environment: Readonly<Record<string, string>>,
): Promise<{ readonly code: number | null; readonly shown: string }> {
  const { PATH = "" } = process.env;
  return new Promise((resolve) => {
    const child = spawn("script", ["-qec", `stty cols 80; ${line}`, "/dev/null"], {
      cwd: folder,
      env: { PATH, HOME: folder, ...environment },
      stdio: ["ignore", "pipe", "ignore"],
    });
    let shown = "";
    child.stdout.on("data", (data) => {
      shown += String(data);
    });
    child.on("close", (code) => resolve({ code, shown }));
  });
}

const XTERM = { TERM: "xterm-256color" };

describe.skipIf(!HAS_SCRIPT)("on a terminal", () => {
  it("the picture and the progress are shown", async () => {
    const { code, shown } = await onTerminal(`${NODE} ${DRAW}`, XTERM);
    expect(code).toBe(0);
    expect(shown).toContain("▀");
    expect(shown).toContain("\r\u001b[2Kopening the model");
    expect(shown).toContain("rain-1.png");
  });

  it("no colours are shown where none are wanted", async () => {
    const { shown } = await onTerminal(`${NODE} ${DRAW}`, { ...XTERM, NO_COLOR: "1" });
    expect(shown).toContain("opening the model");
    // biome-ignore lint/suspicious/noControlCharactersInRegex: escape codes are what is looked for.
    expect(shown).not.toMatch(/▀|\u001b\[[\d;]*m/);
  });

  it.each([{ TERM: "dumb" }, { ...XTERM, CI: "true" }])(
    "no escape code is sent with %o",
    async (environment) => {
      const { code, shown } = await onTerminal(`${NODE} ${DRAW}`, environment);
      expect(code).toBe(0);
      expect(shown).not.toContain("\u001b");
      expect(shown).toMatch(/^rain-1(-\d)?\.png\r\ndrawn in/);
    },
  );

  it("JSON stands alone on standard output while progress is shown", async () => {
    const { code, shown } = await onTerminal(
      `${NODE} ${DRAW} --json > result.json && cat result.json`,
      XTERM,
    );
    expect(code).toBe(0);
    const [line = ""] = shown.split("\n").filter((text) => text.includes('"pictures"'));
    expect(JSON.parse(line.slice(line.indexOf("{")))).toMatchObject({ pictures: [{ seed: 1 }] });
    expect(shown).toContain("opening the model");
  });

  it("no PNG is written to it", async () => {
    const { code, shown } = await onTerminal(`${NODE} ${DRAW} --out -`, XTERM);
    expect(code).toBe(2);
    expect(shown).toContain("would fill the terminal");
  });
});
