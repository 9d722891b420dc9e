/** The command as users run it, in processes of its own, with a tiny model in the official layout. */
import { execFile, spawn } from "node:child_process";
import { openSync } from "node:fs";
import { mkdtemp, readdir, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { openSafetensors } from "../files/safetensors-files.ts";

const COMMAND = fileURLToPath(new URL("./main.ts", import.meta.url));
const MODEL = fileURLToPath(new URL("../../test/parity/models/v1.1", import.meta.url));
const TSX = import.meta.resolve("tsx");

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "nextstep-cli-"));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

interface Outcome {
  readonly code: number;
  readonly out: string;
  readonly err: string;
}

function nextstep(...args: readonly string[]): Promise<Outcome> {
  return new Promise((resolve) => {
    execFile(process.execPath, ["--import", TSX, COMMAND, ...args], { cwd: folder }, (error, out, err) => {
      resolve({ code: typeof error?.code === "number" ? error.code : error === null ? 0 : -1, out, err });
    });
  });
}

const DRAW = [
  "--model",
  MODEL,
  "--size",
  "48x32",
  "--steps",
  "2",
  "--cfg",
  "3",
  "--negative",
  "",
  "--threads",
  "1",
];

describe("nextstep", () => {
  it("draws several pictures, named after prompt and seed, and repeats one exactly", async () => {
    const drawn = await nextstep("A small house", "rain", "--count", "2", "--seed", "5", "--json", ...DRAW);
    expect(drawn.err).not.toContain("nextstep:");
    expect(drawn.code).toBe(0);
    const { pictures } = JSON.parse(drawn.out) as {
      pictures: { file: string; seed: number; prompt: string }[];
    };
    const names = ["a-small-house-5.png", "a-small-house-6.png", "rain-5.png", "rain-6.png"];
    expect((await readdir(folder)).sort()).toEqual(names);
    expect(pictures.map(({ prompt, seed }) => `${prompt} ${seed}`)).toEqual([
      "A small house 5",
      "A small house 6",
      "rain 5",
      "rain 6",
    ]);

    // Drawn among four, repeated alone.
    const again = await nextstep(
      "again",
      names[3] as string,
      "--model",
      MODEL,
      "--out",
      "again.png",
      "--threads",
      "1",
    );
    expect(again.code).toBe(0);
    expect(await readFile(join(folder, "again.png"))).toEqual(await readFile(join(folder, "rain-6.png")));
  });

  it("keeps tokens, latents and picture as floats", async () => {
    const { code } = await nextstep(
      "rain",
      "--seed",
      "1",
      "--save-tokens",
      "t.safetensors",
      "--out",
      "one",
      ...DRAW,
    );
    expect(code).toBe(0);
    const file = await openSafetensors(join(folder, "t.safetensors"));
    const shapes = [...file.tensors].map(([name, { shape }]) => [name, [...shape]]);
    expect(Object.fromEntries(shapes)).toEqual({
      tokens: [1, 6, 64],
      latents: [1, 16, 4, 6],
      image: [1, 3, 32, 48],
    });
    await file.close();
  });

  it("tells what a folder holds, and says in one line what is wrong with a file", async () => {
    const good = await nextstep("inspect", MODEL, "--json");
    expect(good.code).toBe(0);
    expect((JSON.parse(good.out) as { kind: string }).kind).toBe("model");
    const bad = await nextstep("inspect", COMMAND);
    expect(bad.code).toBe(1);
    expect(bad.err.trim().split("\n")).toHaveLength(1);
  });

  it("refuses options with what is allowed", async () => {
    const [sampler, size, model] = await Promise.all([
      nextstep("rain", "--sampler", "euler"),
      nextstep("rain", "--size", "100x100"),
      nextstep("rain", "--model", "nowhere"),
    ]);
    expect(sampler).toMatchObject({ code: 2, err: expect.stringContaining("ode, sde, cps") });
    expect(size).toMatchObject({ code: 2, err: expect.stringContaining("multiples of 16") });
    expect(model).toMatchObject({ code: 1, err: expect.stringContaining("nowhere") });
    for (const { err } of [sampler, size, model]) expect(err.trim().split("\n")).toHaveLength(1);
  });

  it("refuses options that exclude each other in one line that names both", async () => {
    const outcomes = await Promise.all([
      nextstep("rain", "--size", "64x64", "--aspect", "1:1"),
      nextstep("rain", "--no-use-norm", "--use-norm"),
      nextstep("again", "rain.png", "--out", "-", "--json"),
      nextstep("write", "rain", "--top-p", "0.5"),
    ]);
    const names = [
      /--size.*--aspect/,
      /--use-norm.*--no-use-norm/,
      /--out -.*--json/,
      /--top-p.*--temperature/,
    ];
    for (const [index, { code, out, err }] of outcomes.entries()) {
      expect({ code, out }).toEqual({ code: 2, out: "" });
      expect(err).toMatch(names[index] as RegExp);
      expect(err.trim().split("\n")).toHaveLength(1);
    }
  });

  it("writes one picture to standard output, and nothing else there", async () => {
    const [file, piped] = [join(folder, "file.png"), join(folder, "piped.png")];
    await nextstep("rain", "--seed", "3", "--out", file, ...DRAW);
    const { code } = await new Promise<{ code: number | null }>((resolve) => {
      const child = spawn(
        process.execPath,
        ["--import", TSX, COMMAND, "rain", "--seed", "3", "--out", "-", ...DRAW],
        { stdio: ["ignore", openSync(piped, "w"), "ignore"] },
      );
      child.on("close", (exit) => resolve({ code: exit }));
    });
    expect(code).toBe(0);
    expect(await readFile(piped)).toEqual(await readFile(file));
  });

  it("shows the defaults of its options, and the exit codes", async () => {
    const [draw, write, program] = await Promise.all([
      nextstep("draw", "--help"),
      nextstep("write", "--help"),
      nextstep("--help"),
    ]);
    expect(draw.out).toMatch(/--count <n>[^-]*\(default: 1\)/);
    expect(draw.out.replaceAll(/\s+/g, " ")).toContain("solver steps a token (default: the model's)");
    expect(write.out).toMatch(/--max-tokens <n>[^-]*\(default: 64\)/);
    for (const exit of [2, 129, 130, 141, 143]) expect(program.out).toMatch(new RegExp(`^  ${exit} `, "m"));
  });
});
