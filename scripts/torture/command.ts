/** @file The built command in a process of its own, with what it says. */
import { type ChildProcess, spawn } from "node:child_process";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";

export const PROJECT = fileURLToPath(new URL("../../", import.meta.url));
const COMMAND = fileURLToPath(new URL("../../dist/cli/main.js", import.meta.url));
/** Everything here takes seconds, on a busy machine a minute; silence beyond that is a hang. */
const LONGEST_MS = 300_000;

export interface Ended {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly out: string;
  readonly err: string;
}

export interface CommandOptions {
  /** Called with each line of standard output. */
  readonly onLine?: (line: string) => void;
  /** Stands before the command, e.g. a shell that sets a limit. */
  readonly prefix?: readonly string[];
  /** Beside what this process has. */
  readonly environment?: Readonly<Record<string, string>>;
  /** How long it may run; default: five minutes. */
  readonly longestMs?: number;
  /** Program and script in place of the command. */
  readonly program?: readonly [string, ...string[]];
}

/** A run of the command. */
export class RunningCommand {
  readonly child: ChildProcess;
  readonly ended: Promise<Ended>;

  constructor(args: readonly string[], options: CommandOptions = {}) {
    const { onLine, prefix = [], environment = {}, program = [process.execPath, COMMAND] } = options;
    const { longestMs = LONGEST_MS } = options;
    const [first, ...rest] = [...prefix, ...program, ...args] as [string, ...string[]];
    const env = { ...process.env, ...environment };
    const child = spawn(first, rest, { cwd: PROJECT, stdio: ["ignore", "pipe", "pipe"], env });
    this.child = child;
    let [out, err] = ["", ""];
    child.stderr.on("data", (data: Buffer) => {
      err += data.toString();
    });
    createInterface({ input: child.stdout }).on("line", (line) => {
      out += `${line}\n`;
      onLine?.(line);
    });
    this.ended = new Promise((resolve, reject) => {
      const timer = setTimeout(() => {
        child.kill("SIGKILL");
        reject(new Error(`"${args.join(" ")}" hangs`));
      }, longestMs);
      child.on("error", reject);
      child.on("close", (code, signal) => {
        clearTimeout(timer);
        resolve({ code, signal, out, err });
      });
    });
  }

  kill(signal: NodeJS.Signals): void {
    this.child.kill(signal);
  }

  get hasEnded(): boolean {
    return this.child.exitCode !== null || this.child.signalCode !== null;
  }
}

/** Runs the command to its end. */
export function nextstep(args: readonly string[], options: CommandOptions = {}): Promise<Ended> {
  return new RunningCommand(args, options).ended;
}

/** Runs what must succeed, or nothing that follows means anything. */
export async function mustSucceed(args: readonly string[]): Promise<Ended> {
  const ended = await nextstep(args);
  if (ended.code !== 0) throw new Error(`"${args.join(" ")}" failed, undisturbed: ${ended.err}`);
  return ended;
}

/** What is wrong with the way a command failed: it must be one line, from us, without a stack. */
export function badFailure({ code, signal, err }: Ended, expected: readonly number[]): string | undefined {
  if (signal !== null) return `was ended by ${signal}`;
  if (code === null || !expected.includes(code)) {
    return `ended with code ${code} in place of ${expected.join(" or ")}: ${lastLine(err)}`;
  }
  if (/\n\s+at /.test(err)) return `shows a stack: ${err}`;
  return undefined;
}

export function lastLine(text: string): string {
  return text.trimEnd().split("\n").at(-1) ?? "";
}
