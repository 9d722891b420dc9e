/** @file Drawings whose process is ended in the middle, and what `nextstep resume` makes of them. */
import { type ChildProcess, spawn } from "node:child_process";
import { copyFile, mkdtemp, readdir, readFile, rm, stat, truncate, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { decodeImage } from "../files/decode-image.ts";
import { lockJob, readJobFile } from "../node/job-file.ts";

const COMMAND = fileURLToPath(new URL("./main.ts", import.meta.url));
const TSX = import.meta.resolve("tsx");
const MODELS = new URL("../../test/parity/models/", import.meta.url);
const V11 = fileURLToPath(new URL("v1.1", MODELS));
const V1 = fileURLToPath(new URL("v1", MODELS));
const DRAW = [
  "rain",
  "a boat",
  "--seed",
  "1",
  "--size",
  "160x160",
  "--steps",
  "2",
  "--threads",
  "1",
  "--model",
  V11,
];

/**
 * A module that holds a drawing in the middle, with more tokens in its job than are waited for: until it is told to end, and
 * then lets it go where the engine is, as a signal finds it.
 */
const HOLDING = `data:text/javascript,${encodeURIComponent(`
  import { CachedRows } from ${JSON.stringify(new URL("../generate/cached-rows.ts", import.meta.url).href)};
  const read = CachedRows.prototype.append;
  const told = new Promise((resolve) => process.once("SIGTERM", resolve));
  let reads = 0;
  CachedRows.prototype.append = async function (...rows) {
    if (++reads > 60) {
      // Nothing else would keep the process.
      const timer = setInterval(() => {}, 1000);
      await told;
      clearInterval(timer);
    }
    return read.apply(this, rows);
  };
`)}`;

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "nextstep-resume-"));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

interface Ended {
  readonly code: number | null;
  readonly out: Buffer;
  readonly err: string;
}

function start(command: string, args: readonly string[]): { child: ChildProcess; ended: Promise<Ended> } {
  const child = spawn(command, args, { cwd: folder });
  const out: Buffer[] = [];
  let err = "";
  child.stdout.on("data", (data: Buffer) => out.push(data));
  child.stderr.on("data", (data) => {
    err += String(data);
  });
  const ended = new Promise<Ended>((resolve) => {
    child.on("close", (code) => resolve({ code, out: Buffer.concat(out), err }));
  });
  return { child, ended };
}

const nextstep = (...args: readonly string[]) => start(process.execPath, ["--import", TSX, COMMAND, ...args]);

/** Ends the process with a signal once its job holds some tokens, and while others are left to be drawn. */
async function interrupt(job: string, signal: NodeJS.Signals, ...args: readonly string[]): Promise<Ended> {
  const node = ["--import", TSX, "--import", HOLDING];
  const { child, ended } = start(process.execPath, [...node, COMMAND, ...args, "--job", job]);
  let over = false;
  void ended.then(() => {
    over = true;
  });
  const size = () =>
    stat(join(folder, job)).then(
      ({ size }) => size,
      () => 0,
    );
  while (!over && (await size()) < 12_000) await delay(5);
  child.kill(signal);
  return ended;
}

const files = (name: string) => readdir(join(folder, name));
const read = (...name: string[]) => readFile(join(folder, ...name));

describe.skipIf(process.platform === "win32")("nextstep resume", () => {
  it("draws what a drawing would have been that was killed, or stopped, wherever it was", async () => {
    const [whole, killed, stopped] = await Promise.all([
      nextstep(...DRAW, "--json", "--out", "whole").ended,
      interrupt("killed.job", "SIGKILL", ...DRAW, "--json", "--out", "killed", "--preview-file", "look.png"),
      interrupt("it's stopped.job", "SIGTERM", ...DRAW, "--out", "stopped"),
    ]);
    expect(whole).toMatchObject({ code: 0, err: "" });
    expect(killed.code).toBe(null);
    expect(stopped).toMatchObject({
      code: 143,
      err: "go on with: nextstep resume 'it'\\''s stopped.job'\n",
    });
    expect(await files("killed").catch(() => [])).toEqual([]);

    const { job } = await readJobFile(join(folder, "killed.job"));
    expect(job.pictures[0]?.tokens.length).toBeLessThan(100 * job.tokenWidth);
    // As a torn write leaves it.
    await copyFile(join(folder, "killed.job"), join(folder, "other.job"));
    await truncate(join(folder, "killed.job"), (await stat(join(folder, "killed.job"))).size - 5);
    // The killed process left a lock, the stopped one none; this process holds one of a job.
    const locks = async () => (await files(".")).filter((name) => name.startsWith(".lock-"));
    expect(await locks()).toHaveLength(1);
    await copyFile(join(folder, "other.job"), join(folder, "drawn.job"));
    const lock = await lockJob(join(folder, "drawn.job"));
    const [again, on, other, drawn] = await Promise.all([
      nextstep("resume", "killed.job").ended,
      nextstep("resume", "it's stopped.job").ended,
      nextstep("resume", "other.job", "--model", V1).ended,
      nextstep("resume", "drawn.job").ended,
    ]);
    expect(drawn.code).toBe(1);
    expect(drawn.err).toMatch(
      new RegExp(`^nextstep: drawn.job: process ${process.pid} is drawing it .*\\n$`),
    );
    expect(await locks()).toHaveLength(1);
    await lock[Symbol.asyncDispose]();
    expect(again).toMatchObject({
      code: 0,
      err: expect.stringMatching(/not whole and are drawn anew\ngoing on/),
    });
    expect(on).toMatchObject({ code: 0, err: expect.stringMatching(/^going on behind token \d+ of 100\n/) });
    expect(other).toMatchObject({ code: 1, err: expect.stringContaining('"v1" is another one') });
    expect((await files(".")).filter((name) => name.endsWith(".job"))).toEqual(["drawn.job", "other.job"]);
    for (const name of ["a-boat-1.png", "rain-1.png"]) {
      const expected = await read("whole", name);
      expect((await read("killed", name)).equals(expected)).toBe(true);
      expect((await read("stopped", name)).equals(expected)).toBe(true);
    }
    const look = decodeImage(await read("look.png"), "look.png");
    expect(await look).toMatchObject({ width: 2 * 160 + 2, height: 160 });
    const pictures = (text: Buffer) => JSON.parse(text.toString().replaceAll("/killed/", "/whole/")).pictures;
    expect(pictures(again.out)).toEqual(pictures(whole.out));

    // The end came between the pictures and the removal: nothing is there twice.
    const late = await nextstep("resume", "other.job").ended;
    expect(late.code).toBe(0);
    expect(await files("killed")).toEqual(["a-boat-1.png", "rain-1.png"]);
  }, 120_000);

  it("refuses by name what it cannot go on with", async () => {
    await writeFile(join(folder, "none.job"), "nothing");
    const [gone, none, there] = await Promise.all([
      nextstep("resume", "gone.job").ended,
      nextstep("resume", "none.job").ended,
      nextstep(...DRAW, "--job", "none.job").ended,
    ]);
    expect(gone).toMatchObject({
      code: 1,
      err: expect.stringMatching(/^nextstep: gone.job: is not there .*\n$/),
    });
    expect(none).toMatchObject({
      code: 1,
      err: expect.stringMatching(/^nextstep: none.job: is not a .*\n$/),
    });
    expect(there).toMatchObject({
      code: 1,
      err: expect.stringMatching(/^nextstep: none.job: is there .*\n$/),
    });
  }, 60_000);

  it("a drawing goes on when the disk takes no more of its job", async () => {
    // Limits the size of files; pipes have none.
    const line = `trap '' XFSZ; ulimit -f 8; exec "$0" "$@"`;
    const args = ["--import", TSX, COMMAND, ...DRAW.slice(0, 1), ...DRAW.slice(2)];
    const limited = await start("bash", [
      "-c",
      line,
      process.execPath,
      ...args,
      "--out",
      "-",
      "--job",
      "full.job",
    ]).ended;
    expect(limited).toMatchObject({
      code: 0,
      err: expect.stringMatching(/^note: full.job: cannot be written: .*goes on/),
    });
    expect(limited.out.subarray(1, 4).toString()).toBe("PNG");
  }, 60_000);
});
