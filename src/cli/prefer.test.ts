/** @file Rewards on the command line: pairs of them, and the best of several by one. */
import { cp, mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { Command } from "commander";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { readImage } from "../files/decode-image.ts";
import { testModelPath } from "../generate/test-models.ts";
import { readPairs } from "../train/preference/pair-file.ts";
import { runDraw } from "./draw.ts";
import { addPreferCommand } from "./prefer-command.ts";
import { testTerminal } from "./test-terminal.ts";

const SMALL = { threads: 1, steps: 2, size: { width: 32, height: 32 } };
const MODEL = testModelPath("v1.1");

let folder: string;
let prompts: string;
let reward: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "nextstep-prefer-command-"));
  prompts = join(folder, "prompts.txt");
  await writeFile(prompts, "a cat\n\na small dog\n");
  // The bytes of the file, which differ from picture to picture.
  const script = join(folder, "score.mjs");
  await writeFile(
    script,
    `import { statSync } from "node:fs";
import { createInterface } from "node:readline";
for await (const path of createInterface({ input: process.stdin })) console.log(statSync(path).size);
`,
  );
  reward = `command:${process.execPath} ${script}`;
});
afterAll(() => rm(folder, { recursive: true, force: true }));

/** Runs `nextstep prefer`; gives what it prints to standard output. */
async function prefer(...args: readonly string[]): Promise<string> {
  const terminal = testTerminal();
  const program = new Command("nextstep").exitOverride().configureOutput({ writeErr: () => undefined });
  addPreferCommand(program, terminal);
  program.commands[0]!.exitOverride().configureOutput({ writeErr: () => undefined });
  await program.parseAsync(["prefer", ...args], { from: "user" });
  return terminal.written.out();
}

describe("nextstep prefer", () => {
  const settings = () => [
    ...[prompts, "--reward", reward, "--per-prompt", "4", "--at-once", "3", "--model", MODEL],
    ...["--threads", "1", "--steps", "2", "--size", "32x32", "--pairs", "2"],
  ];

  it("makes a folder of pairs, which the same command leaves as it is", async () => {
    const out = join(folder, "pairs");
    const told = JSON.parse(await prefer(...settings(), "--out", out, "--json")) as Record<string, unknown>;
    expect(told).toMatchObject({ folder: out, prompts: 2, drawn: 8 });
    const pairs = await readPairs(out);
    expect(pairs).toHaveLength(told.pairs as number);
    for (const { winnerPath, loserPath, winnerReward, loserReward } of pairs) {
      expect(winnerReward).toBeGreaterThan(loserReward as number);
      for (const path of [winnerPath, loserPath])
        expect(await readImage(path)).toMatchObject({ width: 32, height: 32 });
    }
    const before = await readFile(join(out, "pairs.jsonl"), "utf8");
    expect(await prefer(...settings(), "--out", out)).toMatch(
      /^\d pairs of 2 prompts in .*, 0 pictures drawn now/,
    );
    expect(await readFile(join(out, "pairs.jsonl"), "utf8")).toBe(before);
    await expect(prefer(...settings(), "--out", out, "--seed", "7")).rejects.toThrow(/another folder/);
  }, 120_000);

  it("takes an adapter that was changed for another run", async () => {
    const adapter = join(folder, "adapter");
    const put = (name: string) =>
      cp(fileURLToPath(new URL(`../../test/adapters/${name}`, import.meta.url)), adapter, {
        recursive: true,
      });
    await put("plain");
    const own = [...settings(), "--out", join(folder, "adapted"), "--adapter", adapter];
    await prefer(...own);
    expect(await prefer(...own)).toContain("0 pictures drawn now");
    await put("stabilised");
    await expect(prefer(...own)).rejects.toThrow(/another folder/);
  }, 120_000);

  it("refuses what is no reward before anything is opened", async () => {
    const out = ["--out", join(folder, "none")];
    await expect(prefer(prompts, "--reward", "counts", ...out)).rejects.toThrow(/reward "counts": is none/);
    await expect(prefer(prompts, "--reward", "count", ...out)).rejects.toThrow(/--data/);
    await expect(prefer(join(folder, "no.txt"), "--reward", reward, ...out)).rejects.toThrow(/no such file/);
    expect(await readdir(folder)).not.toContain("none");
  });
});

it("keeps the best of several by a reward, and says so in its recipe", async () => {
  const script = reward.slice("command:".length);
  const terminal = testTerminal();
  const out = { kind: "folder", path: join(folder, "best") } as const;
  await runDraw(
    ["a cat"],
    {
      ...{ ...SMALL, model: MODEL, seed: 3, out, preview: false, json: true, bestOf: 3 },
      by: { name: "command", command: script, format: "path" },
    },
    terminal,
    () => undefined,
  );
  const { pictures } = JSON.parse(terminal.written.out()) as {
    pictures: { seed: number; chosen: unknown; scores: { seed: number; reward: number }[] }[];
  };
  expect(pictures).toHaveLength(1);
  const [{ seed, chosen, scores }] = pictures as [(typeof pictures)[number]];
  expect(chosen).toEqual({ by: "command", of: 3, firstSeed: 3 });
  expect(scores.map((own) => own.seed)).toEqual([3, 4, 5]);
  const most = Math.max(...scores.map((own) => own.reward));
  expect(scores.find((own) => own.seed === seed)?.reward).toBe(most);
  expect(await readdir(out.path)).toEqual([`a-cat-${seed}.png`]);
}, 120_000);
