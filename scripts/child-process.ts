/** @file Commands and scripts of this project as processes of their own, which are asked to end when this one is. */
import { spawn } from "node:child_process";
import { text } from "node:stream/consumers";

const STDIO = { inherit: "inherit", stderr: 2, keep: "pipe" } as const;

export interface ChildResult {
  readonly code: number;
  /** What it wrote on its standard output, where that was asked for. */
  readonly output: string;
}

/**
 * @param command arguments of the `nextstep` command, or those of a script behind its path.
 * @param output passed on to this process's own output or, for people, to its errors; or kept.
 */
export async function runChild(
  command: readonly string[],
  folder: string,
  output: keyof typeof STDIO = "inherit",
): Promise<ChildResult> {
  const [first = "", ...rest] = command;
  const args = first.endsWith(".ts") ? [first, ...rest] : ["src/cli/main.ts", ...command];
  // The loader that runs this script runs the child, too.
  const child = spawn(process.execPath, [...process.execArgv, ...args], {
    cwd: folder,
    stdio: ["inherit", STDIO[output], "inherit"],
  });
  const pass = (signal: NodeJS.Signals): void => void child.kill(signal);
  process.on("SIGINT", pass).on("SIGTERM", pass);
  try {
    const [code, kept] = await Promise.all([
      new Promise<number>((resolve, reject) => {
        child.on("error", reject);
        child.on("exit", (code) => resolve(code ?? 1));
      }),
      child.stdout === null ? "" : text(child.stdout),
    ]);
    return { code, output: kept };
  } finally {
    process.off("SIGINT", pass).off("SIGTERM", pass);
  }
}
