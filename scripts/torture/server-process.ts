/** @file `nextstep serve` in a process of its own, started and killed. */
import { type Ended, RunningCommand } from "./command.ts";

export interface ServerPlace {
  readonly store: string;
  readonly model: string;
  /** Of a shared queue; without it the queue is in the store. */
  readonly databaseUrl?: string;
}

/** Pictures have 400 tokens at most, so that jobs take seconds and kills meet them at work. */
const MOST_TOKENS = 400;
/** Of several servers, one may live through all of the kills. */
const LONGEST_MS = 3_600_000;

export class ServerProcess {
  readonly #command: RunningCommand;
  /** Where it listens; undefined when it ended before it did. */
  readonly listening: Promise<string | undefined>;
  /** By the name of a log's event: whoever waits for the next one. */
  readonly #waiting = new Map<string, (() => void)[]>();

  constructor({ store, model, databaseUrl }: ServerPlace) {
    const args = ["serve", "--port", "0", "--store", store, "--model", model];
    args.push("--threads", "1", "--max-batch", "6", "--max-tokens-per-image", String(MOST_TOKENS));
    let listens = (_url: string | undefined): void => {};
    this.listening = new Promise((resolve) => {
      listens = resolve;
    });
    this.#command = new RunningCommand(args, {
      longestMs: LONGEST_MS,
      environment: databaseUrl === undefined ? {} : { DATABASE_URL: databaseUrl },
      onLine: (line) => listens(/^listening on (http:\S+)$/.exec(line)?.[1]),
    });
    this.#command.child.stderr?.on("data", (data: Buffer) => {
      for (const [, event] of data.toString().matchAll(/"event":"([^"]+)"/g)) this.#happened(event ?? "");
    });
    const over = (): void => {
      listens(undefined);
      for (const event of this.#waiting.keys()) this.#happened(event);
    };
    this.#command.ended.then(over, over);
  }

  get ended(): Promise<Ended> {
    return this.#command.ended;
  }

  /** Until the log says so, or the process has ended. */
  async says(event: string): Promise<void> {
    if (this.#command.hasEnded) return;
    await new Promise<void>((resolve) => {
      this.#waiting.set(event, [...(this.#waiting.get(event) ?? []), resolve]);
    });
  }

  /** Ends it there and then, and waits until it is gone. */
  async kill(): Promise<Ended> {
    this.#command.kill("SIGKILL");
    return this.ended;
  }

  /** As a service manager does. */
  async stop(): Promise<Ended> {
    this.#command.kill("SIGTERM");
    return this.ended;
  }

  #happened(event: string): void {
    const waiting = this.#waiting.get(event) ?? [];
    this.#waiting.delete(event);
    for (const resolve of waiting) resolve();
  }
}
