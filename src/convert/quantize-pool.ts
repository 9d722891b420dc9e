/** @file Threads that put rows into blocks side by side. */
import { availableParallelism } from "node:os";
import { Worker } from "node:worker_threads";
import { EngineError } from "../errors.ts";
import { threadFile } from "../files/thread-file.ts";
import { type ErrorMessage, unpackError } from "../runtime/node/engine-messages.ts";
import type { QuantizedRows, RowsToQuantize } from "./quantize-rows.ts";

export type QuantizeAnswer = { readonly value: QuantizedRows } | { readonly error: ErrorMessage };

interface Job {
  readonly request: RowsToQuantize;
  readonly resolve: (rows: QuantizedRows) => void;
  readonly reject: (error: Error) => void;
}

export class QuantizePool implements AsyncDisposable {
  readonly #workers: Worker[] = [];
  readonly #idle: Worker[] = [];
  readonly #running = new Map<Worker, Job>();
  readonly #waiting: Job[] = [];
  #failure: Error | undefined;

  /** @param threads default: the machine's processors. */
  constructor(threads = availableParallelism()) {
    for (let i = 0; i < threads; i++) {
      const worker = new Worker(threadFile(import.meta.url, "convert/quantize-worker"), {
        name: "nextstep-convert",
        execArgv: [],
      });
      worker.on("message", (answer: QuantizeAnswer) => this.#settle(worker, answer));
      worker.on("error", (cause) =>
        this.#fail(new EngineError(cause.message, { where: "conversion thread", cause })),
      );
      worker.on("exit", () =>
        this.#fail(new EngineError("ended before its work was done", { where: "conversion thread" })),
      );
      this.#workers.push(worker);
      this.#idle.push(worker);
    }
  }

  get threads(): number {
    return this.#workers.length;
  }

  /** Takes the data over. Requests wait for a thread in the order in which they come. */
  run(request: RowsToQuantize): Promise<QuantizedRows> {
    if (this.#failure !== undefined) return Promise.reject(this.#failure);
    return new Promise((resolve, reject) => {
      this.#waiting.push({ request, resolve, reject });
      this.#next();
    });
  }

  #next(): void {
    const worker = this.#idle.at(-1);
    const job = this.#waiting[0];
    if (worker === undefined || job === undefined) return;
    this.#idle.pop();
    this.#waiting.shift();
    this.#running.set(worker, job);
    worker.postMessage(job.request, [job.request.data.buffer as ArrayBuffer]);
  }

  #settle(worker: Worker, answer: QuantizeAnswer): void {
    const job = this.#running.get(worker);
    this.#running.delete(worker);
    this.#idle.push(worker);
    if ("error" in answer) job?.reject(unpackError(answer.error));
    else job?.resolve(answer.value);
    this.#next();
  }

  #fail(error: Error): void {
    this.#failure ??= error;
    for (const { reject } of [...this.#running.values(), ...this.#waiting]) reject(this.#failure);
    this.#running.clear();
    this.#waiting.length = 0;
  }

  /** Ends the threads; what still runs is given up. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#fail(new EngineError("was disposed", { where: "conversion threads" }));
    await Promise.all(this.#workers.map((worker) => worker.terminate()));
  }
}
