/** @file A reward by a program: files of the pictures go in, numbers come out. */
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { nodeZlib } from "../../files/zlib.ts";
import { encodePng } from "../../image/encode-png.ts";
import type { Reward } from "../../train/reward/reward.ts";
import { ScoringProgram } from "./scoring-program.ts";

/** What a line says of a picture: the path of its file, or a JSON object of `path` and `prompt`. */
export const LINE_FORMATS = ["path", "json"] as const;
export type LineFormat = (typeof LINE_FORMATS)[number];

export interface CommandReward extends AsyncDisposable {
  readonly reward: Reward;
}

/**
 * Starts the program, which is ended by disposing. Pictures are PNG files in a temporary folder, which are there until the
 * program has answered.
 * @throws as {@link ScoringProgram.start}; the reward as {@link ScoringProgram.ask}.
 */
export async function commandReward(command: string, format: LineFormat): Promise<CommandReward> {
  const program = await ScoringProgram.start(command);
  let folder: string | undefined;
  let written = 0;
  const reward: Reward = async (pictures, { signal }) => {
    folder ??= await mkdtemp(join(tmpdir(), "nextstep-reward-"));
    const paths: string[] = [];
    try {
      for (const { pixels } of pictures) {
        const path = join(folder, `${++written}.png`);
        await writeFile(path, await encodePng(pixels, nodeZlib));
        paths.push(path);
      }
      const lines = paths.map((path, index) =>
        format === "path" ? path : JSON.stringify({ path, prompt: pictures[index]?.prompt }),
      );
      return await program.ask(lines, signal);
    } finally {
      await Promise.all(paths.map((path) => rm(path, { force: true })));
    }
  };
  return {
    reward,
    async [Symbol.asyncDispose]() {
      await program[Symbol.asyncDispose]();
      if (folder !== undefined) await rm(folder, { recursive: true, force: true });
    },
  };
}
