/** @file Programs that score, and such that do not do what they should. */
import { mkdtemp, readdir, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from "vitest";
import { AbortedError, ConfigError, InputError } from "../../errors.ts";
import type { RgbImage } from "../../image/pixels.ts";
import { rewardsOf } from "../../train/reward/reward.ts";
import { type CommandReward, commandReward } from "./command-reward.ts";
import { commandWords } from "./command-words.ts";

let folder = "";
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "nextstep with space "));
});
afterAll(() => rm(folder, { recursive: true }));
afterEach(() => vi.unstubAllEnvs());

const grey = (value: number): RgbImage => ({ width: 2, height: 2, data: new Uint8Array(12).fill(value) });
const pictures = [10, 20, 30].map((value) => ({ prompt: `grey ${value}`, pixels: grey(value) }));

let scripts = 0;
/** The command of a program that does `line` for each line that it reads, in a folder whose name has spaces. */
async function program(line: string, before = ""): Promise<string> {
  const file = join(folder, `script-${++scripts}.mjs`);
  await writeFile(
    file,
    `import { readFileSync } from "node:fs";
import { createInterface } from "node:readline";
let count = 0;
${before}
for await (const line of createInterface({ input: process.stdin })) { count++; ${line} }
`,
  );
  return `"${process.execPath}" '${file}'`;
}

async function using<Result>(command: string, use: (own: CommandReward) => Promise<Result>): Promise<Result> {
  await using own = await commandReward(command, "path");
  return await use(own);
}

describe("a program that scores", () => {
  it("is started once, and is given the files of the pictures", async () => {
    const command = await program(`console.log(readFileSync(line).length > 50 ? count : "no file");`);
    await using(command, async ({ reward }) => {
      expect([...(await rewardsOf(reward, pictures))]).toEqual([1, 2, 3]);
      expect(await reward([], {})).toEqual([]);
      expect([...(await rewardsOf(reward, pictures.slice(0, 2)))]).toEqual([4, 5]);
    });
  });

  it("is given prompts as JSON where it wants them, whatever is in them", async () => {
    const command = await program(
      `const { path, prompt } = JSON.parse(line); console.log(prompt.length + path.length * 0);`,
    );
    await using own = await commandReward(command, "json");
    const prompt = 'two\nlines, a\ttab, "quotes"';
    expect(await own.reward([{ prompt, pixels: grey(1) }], {})).toEqual([prompt.length]);
  });

  it("may answer in pieces, with other line ends, and is asked by several at once", async () => {
    const command = await program(
      `process.stdout.write(" 0."); await new Promise((go) => setTimeout(go, 5)); process.stdout.write(count + "\\r\\n");`,
    );
    await using(command, async ({ reward }) => {
      const answers = await Promise.all([reward(pictures, {}), reward(pictures.slice(1), {})]);
      // Whose files are written first is asked first.
      const orders = [
        [
          [0.1, 0.2, 0.3],
          [0.4, 0.5],
        ],
        [
          [0.3, 0.4, 0.5],
          [0.1, 0.2],
        ],
      ];
      expect(orders).toContainEqual(answers);
    });
  });

  it("leaves no files, and ends when its input does", async () => {
    // In a place of its own: in the common one others come and go meanwhile.
    const temporary = await mkdtemp(join(folder, "temporary-"));
    for (const name of ["TMPDIR", "TEMP"]) vi.stubEnv(name, temporary);
    const command = await program("console.log(1);");
    await using(command, async ({ reward }) => {
      await reward(pictures, {});
      expect(await readdir(temporary)).toHaveLength(1);
    });
    expect(await readdir(temporary)).toEqual([]);
  });

  const hostile: Readonly<Record<string, readonly [line: string, message: RegExp]>> = {
    "ends early": [
      "if (count === 2) process.exit(3); console.log(1);",
      /ended with code 3 before it gave all numbers/,
    ],
    "ends with a word": [
      'console.error("out of memory"); process.exit(1);',
      /ended with code 1 .*it says: out of memory/,
    ],
    "is killed": ['process.kill(process.pid, "SIGKILL");', /ended by SIGKILL/],
    "writes NaN": ["console.log(NaN);", /wrote .*NaN.*no finite number/],
    "writes a text": ['console.log("score: 1");', /wrote .*score: 1/],
    "writes infinity": ["console.log(1e999);", /wrote .*Infinity/],
    "writes nothing in a line": ['console.log("");', /no finite number/],
    "writes a line without end": ['process.stdout.write("1".repeat(1e5));', /a line of more than 4096/],
  };
  it.each(Object.entries(hostile))("is an error when it %s", async (_name, [line, message]) => {
    const command = await program(line);
    await using(command, async ({ reward }) => {
      const error = await reward(pictures, {}).catch((caught: unknown) => caught);
      expect(error).toBeInstanceOf(InputError);
      expect((error as Error).message).toMatch(message);
      await expect(reward(pictures, {})).rejects.toThrow(message);
    });
  });

  it("is an error when it answers more than it is asked", async () => {
    const command = await program("console.log(1); console.log(2);");
    await using(command, async ({ reward }) => {
      // The first numbers may have come before the one too many.
      await reward(pictures.slice(0, 1), {}).catch(() => undefined);
      await expect.poll(() => reward(pictures.slice(0, 1), {}).catch(String)).toMatch(/wrote more numbers/);
    });
  });

  it("is killed by the signal, however it holds on", async () => {
    const stop = new AbortController();
    const command = await program("while (true);", 'process.on("SIGTERM", () => undefined);');
    await using(command, async ({ reward }) => {
      const asked = reward(pictures, { signal: stop.signal });
      setTimeout(() => stop.abort(), 50);
      await expect(asked).rejects.toThrow(AbortedError);
    });
  });

  it("must be there", async () => {
    await expect(commandReward(join(folder, "none"), "path")).rejects.toThrow(/cannot be started: .*ENOENT/);
    await expect(commandReward("  ", "path")).rejects.toThrow(ConfigError);
  });
});

describe("commandWords", () => {
  it.each([
    ["python score.py --x 1", ["python", "score.py", "--x", "1"]],
    [`  a "b c"  'd "e"' f"g h"i `, ["a", "b c", 'd "e"', "fg hi"]],
    ["a $HOME *.png ; b | c", ["a", "$HOME", "*.png", ";", "b", "|", "c"]],
    [`a "" ''`, ["a", "", ""]],
  ])("takes %j apart, without a shell", (text, words) => {
    expect(commandWords(text)).toEqual(words);
  });

  it.each(["", " ", `"`, `a 'b`, `"" a`])("refuses %j", (text) => {
    expect(() => commandWords(text)).toThrow(ConfigError);
  });
});
