/** @file The built server in a process of its own, which tells what it holds: memory, descriptors, handles, warnings. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { readdir, readFile } from "node:fs/promises";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";

const COMMAND = fileURLToPath(new URL("../../dist/cli/main.js", import.meta.url));
const REPORTER = fileURLToPath(new URL("./heap-reporter.mjs", import.meta.url));

/** What {@link ObservedServer.look} is answered with by the process itself, behind a garbage collection. */
interface OwnReport {
  readonly heapUsed: number;
  readonly external: number;
  readonly arrayBuffers: number;
  /** Sockets, timers, files and whatever else keeps a process alive, by kind. */
  readonly resources: Readonly<Record<string, number>>;
}

/** Bytes unless said otherwise. */
export interface ServerLook extends OwnReport {
  readonly resident: number;
  /** Open files and sockets. */
  readonly descriptors: number;
  readonly threads: number;
}

export class ObservedServer implements AsyncDisposable {
  readonly url: string;
  /** Lines of standard error that are none of the log: warnings of Node, above all. */
  readonly strayLines: string[];
  readonly #child: ReturnType<typeof spawn>;

  private constructor(url: string, child: ReturnType<typeof spawn>, strayLines: string[]) {
    this.url = url;
    this.strayLines = strayLines;
    this.#child = child;
  }

  /** @param args of `nextstep serve`. @throws Error when it ends before it listens. */
  static async start(
    args: readonly string[],
    environment: Readonly<Record<string, string>> = {},
  ): Promise<ObservedServer> {
    const child = spawn(
      process.execPath,
      ["--expose-gc", "--import", REPORTER, COMMAND, "serve", "--port", "0", ...args],
      { stdio: ["ignore", "pipe", "pipe", "ipc"], env: { ...process.env, ...environment } },
    );
    const strayLines: string[] = [];
    const { stdout, stderr } = child;
    if (stdout === null || stderr === null) throw new Error("the server has no output");
    createInterface({ input: stderr }).on("line", (line) => {
      if (!line.startsWith("{")) strayLines.push(line);
    });
    const url = await new Promise<string>((resolve, reject) => {
      createInterface({ input: stdout }).on("line", (line) => {
        const [, found] = /^listening on (http:\S+)$/.exec(line) ?? [];
        if (found !== undefined) resolve(found);
      });
      child.once("exit", (code) =>
        reject(new Error(`the server ended with ${code}: ${strayLines.join("\n")}`)),
      );
    });
    return new ObservedServer(url, child, strayLines);
  }

  async look(): Promise<ServerLook> {
    const answered = once(this.#child, "message");
    this.#child.send("report");
    const [own] = (await answered) as [OwnReport];
    const folder = `/proc/${this.#child.pid}`;
    const status = await readFile(`${folder}/status`, "utf8");
    const [, resident = "0"] = /^VmRSS:\s+(\d+) kB$/m.exec(status) ?? [];
    const [, threads = "0"] = /^Threads:\s+(\d+)$/m.exec(status) ?? [];
    return {
      resident: 1024 * Number(resident),
      descriptors: (await readdir(`${folder}/fd`)).length,
      threads: Number(threads),
      ...own,
    };
  }

  /** Ends it as an operator does. @returns its exit code, null if a signal ended it */
  async stop(): Promise<number | null> {
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return this.#child.exitCode;
    const ended = once(this.#child, "exit");
    this.#child.kill("SIGTERM");
    await ended;
    return this.#child.exitCode;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop();
  }
}
