/**
 * @file A program that scores: started once, it is given lines on its standard input and answers each with a number in a line
 * on its standard output. Whatever else it does is an error that names it.
 */
import { type ChildProcessWithoutNullStreams, spawn } from "node:child_process";
import { abortError, InputError, type NextStepError, refuseAborted } from "../../errors.ts";
import { printable, quoted } from "../../formats/quoted.ts";
import { commandWords } from "./command-words.ts";

/** A number has some 20 characters; what writes this many without a line's end writes no numbers. */
const MAX_LINE = 4096;
/** Of what it writes to standard error, the end is told. */
const TOLD_CHARACTERS = 500;
/** Time to end by itself once its input has ended. */
const ENDING_MS = 2000;

interface Asked {
  readonly count: number;
  readonly numbers: number[];
  readonly resolve: (numbers: number[]) => void;
  readonly reject: (error: NextStepError) => void;
}

export class ScoringProgram implements AsyncDisposable {
  readonly #where: string;
  readonly #child: ChildProcessWithoutNullStreams;
  readonly #closed: Promise<void>;
  /** The first thing that went wrong; nothing is asked behind it. */
  #failure: NextStepError | undefined;
  #asked: Asked | undefined;
  #rest = "";
  #errors = "";
  /** Ends when what was asked before has been answered. */
  #turn: Promise<unknown> = Promise.resolve();

  private constructor(where: string, child: ChildProcessWithoutNullStreams) {
    this.#where = where;
    this.#child = child;
    const { stdin, stdout, stderr } = child;
    stdout.setEncoding("utf8").on("data", (text: string) => this.#read(text));
    stderr.setEncoding("utf8").on("data", (text: string) => {
      this.#errors = (this.#errors + text).slice(-TOLD_CHARACTERS);
    });
    // That nobody reads any more is told by the end of the program.
    stdin.on("error", () => undefined);
    child.on("error", (cause) => this.#fail(cause.message));
    this.#closed = new Promise((resolve) => {
      child.on("close", (code, signal) => {
        this.#fail(
          `ended ${signal === null ? `with code ${code}` : `by ${signal}`} before it gave all numbers`,
        );
        resolve();
      });
    });
  }

  /**
   * @param command words with spaces between them, see {@link commandWords}.
   * @throws InputError for a program that cannot be started; ConfigError for words that are none.
   */
  static async start(command: string): Promise<ScoringProgram> {
    const [program, ...args] = commandWords(command);
    const where = `command ${quoted(command)}`;
    // Python would keep short answers in a buffer until it ends.
    const child = spawn(program, args, {
      stdio: ["pipe", "pipe", "pipe"],
      env: { ...process.env, PYTHONUNBUFFERED: "1" },
    });
    await new Promise<void>((resolve, reject) => {
      child.once("spawn", resolve);
      child.once("error", (cause) =>
        reject(
          new InputError(`cannot be started: ${cause.message}`, { where, remedy: "name a program", cause }),
        ),
      );
    });
    return new ScoringProgram(where, child);
  }

  /**
   * Gives lines to the program, whose answers are awaited; what is asked meanwhile waits.
   * @returns a finite number a line.
   * @throws InputError for another answer or an early end; AbortedError, and then the program is ended.
   */
  ask(lines: readonly string[], signal?: AbortSignal): Promise<number[]> {
    const answer = this.#turn.then(() => this.#ask(lines, signal));
    this.#turn = answer.catch(() => undefined);
    return answer;
  }

  async #ask(lines: readonly string[], signal: AbortSignal | undefined): Promise<number[]> {
    refuseAborted(signal);
    if (this.#failure !== undefined) throw this.#failure;
    if (lines.length === 0) return [];
    const abort = (): void => this.#giveUp(abortError(signal as AbortSignal));
    signal?.addEventListener("abort", abort, { once: true });
    try {
      return await new Promise((resolve, reject) => {
        this.#asked = { count: lines.length, numbers: [], resolve, reject };
        this.#child.stdin.write(lines.map((line) => `${line}\n`).join(""));
      });
    } finally {
      this.#asked = undefined;
      signal?.removeEventListener("abort", abort);
    }
  }

  #read(text: string): void {
    const lines = (this.#rest + text).split("\n");
    this.#rest = lines.pop() ?? "";
    for (const line of lines) this.#answer(line.trim());
    if (this.#rest.length > MAX_LINE) this.#fail(`wrote a line of more than ${MAX_LINE} characters`);
  }

  #answer(line: string): void {
    const value = Number(line);
    if (line === "" || !Number.isFinite(value)) {
      this.#fail(`wrote ${quoted(line)}, which is no finite number`);
      return;
    }
    const asked = this.#asked;
    if (asked === undefined || asked.numbers.length === asked.count) {
      this.#fail("wrote more numbers than it was given pictures");
      return;
    }
    asked.numbers.push(value);
    if (asked.numbers.length === asked.count) asked.resolve(asked.numbers);
  }

  #fail(reason: string): void {
    const said = this.#errors.trim();
    this.#giveUp(
      new InputError(`${reason}${said === "" ? "" : `; it says: ${printable(said)}`}`, {
        where: this.#where,
        remedy: "it is to write a number and a line's end for each line that it reads, and nothing else",
      }),
    );
  }

  #giveUp(error: NextStepError): void {
    this.#failure ??= error;
    this.#asked?.reject(this.#failure);
    // It may have been told to end in vain.
    this.#child.kill("SIGKILL");
  }

  /** Ends its input, and the program itself if that does not. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#child.stdin.end();
    const timer = setTimeout(() => this.#child.kill("SIGKILL"), ENDING_MS);
    await this.#closed;
    clearTimeout(timer);
  }
}
