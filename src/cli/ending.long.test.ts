/** @file How the command ends when it is interrupted, when nobody reads it and when nothing can be written. */
import { spawn } from "node:child_process";
import { mkdtemp, readdir, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, it } from "vitest";

const COMMAND = fileURLToPath(new URL("./main.ts", import.meta.url));
const MODEL = fileURLToPath(new URL("../../test/parity/models/v1.1", import.meta.url));
const NODE = `"${process.execPath}" --import "${import.meta.resolve("tsx")}" "${COMMAND}"`;
const DRAW = `rain --seed 1 --size 48x32 --steps 2 --threads 1 --model "${MODEL}"`;

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "nextstep-ending-"));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

/** Runs a line of bash, in which $NEXTSTEP is the command. */
function bash(
  line: string,
): Promise<{ readonly code: number | null; readonly out: string; readonly err: string }> {
  return new Promise((resolve) => {
    const child = spawn("bash", ["-c", line.replaceAll("$NEXTSTEP", NODE)], { cwd: folder });
    let [out, err] = ["", ""];
    child.stdout.on("data", (data) => {
      out += String(data);
    });
    child.stderr.on("data", (data) => {
      err += String(data);
    });
    child.on("close", (code) => resolve({ code, out, err }));
  });
}

const lines = (text: string): number => text.split("\n").filter((line) => line !== "").length;

describe.skipIf(process.platform === "win32")("nextstep ends", () => {
  it("quietly when nobody reads, with what was drawn saved", async () => {
    const [drawn, help] = await Promise.all([
      bash(`$NEXTSTEP ${DRAW} --json --out piped | true; exit \${PIPESTATUS[0]}`),
      bash(`$NEXTSTEP --help | true; exit \${PIPESTATUS[0]}`),
    ]);
    expect(drawn.err).not.toMatch(/EPIPE|\bat /);
    expect(drawn.code).toBe(141);
    expect(await readdir(join(folder, "piped"))).toEqual(["rain-1.png"]);
    // Short output may be written before the reader is gone.
    expect([0, 141]).toContain(help.code);
    expect(help.err).toBe("");
  });

  it.skipIf(process.platform !== "linux")("in one line when output cannot be written", async () => {
    const full = await bash("$NEXTSTEP --help > /dev/full");
    expect(full).toMatchObject({
      code: 1,
      err: expect.stringContaining("standard output: cannot be written"),
    });
    expect(lines(full.err)).toBe(1);
  });

  it("before drawing when pictures cannot be written", async () => {
    await writeFile(join(folder, "file"), "");
    const refused = await bash(`$NEXTSTEP ${DRAW} --model nowhere --out file/below`);
    expect(refused).toMatchObject({
      code: 1,
      err: expect.stringContaining("file/below/picture.png: cannot"),
    });
    expect(lines(refused.err)).toBe(1);
  });

  it("with the signal's code whenever it comes", async () => {
    const cases = [
      ["INT", 130],
      ["TERM", 143],
      ["HUP", 129],
    ] as const;
    for (const [name, code] of cases) {
      for (const delay of [0.6, 0.9, 1.2]) {
        const long = DRAW.replace("48x32", "512x512");
        const ended = await bash(
          `$NEXTSTEP ${long} --count 4 --out signals & sleep ${delay}; kill -${name} $!; wait $!; exit $?`,
        );
        expect(ended.code, `${name} after ${delay} s: ${ended.err}`).toBe(code);
        expect(ended.err).not.toMatch(/\n\s+at /);
      }
    }
  }, 60_000);

  it("refuses what is not a regular file", async () => {
    await bash("mkfifo pipe");
    for (const command of [
      "again /dev/zero",
      "again pipe",
      "inspect pipe",
      `${DRAW} --image pipe`,
      `${DRAW} --noise pipe`,
    ]) {
      const refused = await bash(`timeout 20 $NEXTSTEP ${command}`);
      expect(refused, command).toMatchObject({ code: 1, err: expect.stringContaining("regular file") });
      expect(lines(refused.err), command).toBe(1);
    }
  }, 60_000);
});
