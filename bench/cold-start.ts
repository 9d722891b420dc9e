/** @file Benchmark of the first command: process start to a written PNG, with the default model. */
import { spawn } from "node:child_process";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { type Measurement, measure } from "./measure.ts";

const COMMAND = fileURLToPath(new URL("../dist/cli/main.js", import.meta.url));

function run(args: readonly string[]): Promise<void> {
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, [COMMAND, ...args], { stdio: ["ignore", "ignore", "inherit"] });
    child.once("error", reject);
    child.once("close", (code) =>
      code === 0 ? resolve() : reject(new Error(`the command ended with code ${code}`)),
    );
  });
}

/** The built command in a process of its own; `npm run build` first. */
export async function benchColdStart(runs: number, prompt: string): Promise<Measurement> {
  const folder = await mkdtemp(join(tmpdir(), "nextstep-cold-"));
  try {
    return await measure("cold", { prompt }, { runs }, () =>
      run([prompt, "--seed", "1", "--out", join(folder, "picture.png")]),
    );
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}
