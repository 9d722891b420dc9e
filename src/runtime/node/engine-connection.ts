/** @file The engine's thread as its owner sees it: commands go there, each is answered once or fails with the thread. */
import { Worker } from "node:worker_threads";
import { EngineError } from "../../errors.ts";
import { threadFile } from "../../files/thread-file.ts";
import type { TypedArray } from "../../tensor/dtype.ts";
import type { EngineOptions } from "../engine.ts";
import {
  type Answer,
  type Command,
  type Request,
  type Result,
  unpackError,
  type WorkerData,
} from "./engine-messages.ts";
import { disableTelemetry } from "./onnxruntime.ts";

interface Pending {
  readonly resolve: (value: Result) => void;
  readonly reject: (error: Error) => void;
}

/** Sends commands and matches the answers. The process may end while nothing is pending. */
export class Connection {
  readonly #worker: Worker;
  readonly #pending = new Map<number, Pending>();
  #next = 0;
  /** Why nothing can be sent any more. */
  #failure: EngineError | undefined;
  #closing: Promise<void> | undefined;

  constructor(options: EngineOptions) {
    disableTelemetry();
    const data: WorkerData = { options };
    // Not the process's own flags: some, such as --input-type, are refused for a thread.
    const worker = new Worker(threadFile(import.meta.url, "runtime/node/engine-worker"), {
      workerData: data,
      name: "nextstep-engine",
      execArgv: [],
    });
    this.#worker = worker;
    worker.on("message", (answer: Answer) => this.#settle(answer));
    worker.on("messageerror", (cause) => {
      // Whose answer it was cannot be told.
      this.#fail(new EngineError("an answer could not be read", { where: "engine thread", cause }));
      void worker.terminate();
    });
    worker.on("error", (cause) =>
      this.#fail(new EngineError(cause.message, { where: "engine thread", cause })),
    );
    worker.on("exit", () =>
      this.#fail(
        this.#closing === undefined
          ? new EngineError("ended before its work was done", { where: "engine thread" })
          : disposedError(),
      ),
    );
    worker.unref();
  }

  send(command: Command): Promise<Result> {
    if (this.#failure !== undefined) return Promise.reject(this.#failure);
    const id = this.#next++;
    const request: Request = { id, command };
    return new Promise((resolve, reject) => {
      this.#worker.postMessage(request);
      if (this.#pending.size === 0) this.#worker.ref();
      this.#pending.set(id, { resolve, reject });
    });
  }

  /** Sends a command that frees something. Without the thread there is nothing left to free. */
  async release(command: Command): Promise<void> {
    try {
      await this.send(command);
    } catch (error) {
      if (this.#failure === undefined) throw error;
    }
  }

  #settle(answer: Answer): void {
    const pending = this.#pending.get(answer.id);
    this.#pending.delete(answer.id);
    if (this.#pending.size === 0) this.#worker.unref();
    if ("error" in answer) pending?.reject(unpackError(answer.error));
    else pending?.resolve(answer.value);
  }

  #fail(error: EngineError): void {
    this.#failure ??= error;
    for (const { reject } of this.#pending.values()) reject(this.#failure);
    this.#pending.clear();
  }

  /** Lets everything sent before finish, frees the sessions, then waits for the thread to end. */
  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  async #close(): Promise<void> {
    if (this.#failure !== undefined) return;
    const ended = new Promise<void>((resolve) => this.#worker.once("exit", () => resolve()));
    await this.release({ kind: "close" });
    this.#failure ??= disposedError();
    this.#worker.ref();
    await ended;
  }
}

function disposedError(): EngineError {
  return new EngineError("was disposed", { where: "engine" });
}

/**
 * Posting copies the whole buffer behind a view, and ONNX Runtime refuses shared memory as input: both are copied
 * out first. Anything else is left to the copy that posting makes.
 */
export function plainCopy<Data extends TypedArray>(data: Data): Data {
  const isWhole = data.buffer instanceof ArrayBuffer && data.byteLength === data.buffer.byteLength;
  return isWhole ? data : (data.slice() as Data);
}
