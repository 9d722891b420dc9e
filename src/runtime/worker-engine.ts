/**
 * @file An engine in a thread of its own, so that the caller's event loop stays alive while a run computes: for
 * progress, cancelling and servers. Behaves as the local engine does.
 */
import { existsSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { Worker } from "node:worker_threads";
import { EngineError, InputError } from "../errors.ts";
import type { OnnxModel } from "../graph/onnx-writer.ts";
import { boundParameters } from "./bound-parameters.ts";
import type {
  ChainLink,
  Engine,
  EngineOptions,
  Feeds,
  HostTensor,
  RowCopy,
  RunRequest,
  Session,
  State,
  StateOrigin,
  TensorData,
  WeightSource,
} from "./engine.ts";
import {
  type Answer,
  type Command,
  type FeedMessage,
  type Request,
  type Result,
  unpackError,
  type WorkerData,
} from "./engine-messages.ts";

/** Weights that may be queued for the thread before the next is read. */
const MAX_BYTES_ON_THE_WAY = 256 * 2 ** 20;

interface Pending {
  readonly resolve: (value: Result) => void;
  readonly reject: (error: Error) => void;
}

/** Sends commands and matches the answers. The process may end while nothing is pending. */
class Connection {
  readonly #worker: Worker;
  readonly #pending = new Map<number, Pending>();
  #next = 0;
  #failure: Error | undefined;

  constructor(options: EngineOptions) {
    const data: WorkerData = { options };
    // Not the process's own flags: some, such as --input-type, are refused for a thread.
    const worker = new Worker(workerUrl(), { workerData: data, name: "nextstep-engine", execArgv: [] });
    this.#worker = worker;
    worker.on("message", (answer: Answer) => this.#settle(answer));
    worker.on("error", (cause) =>
      this.#fail(new EngineError(cause.message, { where: "engine thread", cause })),
    );
    worker.on("exit", () => this.#fail(new EngineError("was disposed", { where: "engine" })));
    worker.unref();
  }

  send(command: Command, transfer: readonly ArrayBuffer[] = []): Promise<Result> {
    if (this.#failure !== undefined) return Promise.reject(this.#failure);
    const id = this.#next++;
    return new Promise((resolve, reject) => {
      if (this.#pending.size === 0) this.#worker.ref();
      this.#pending.set(id, { resolve, reject });
      const request: Request = { id, command };
      this.#worker.postMessage(request, transfer);
    });
  }

  /** Gives something back. An engine that is gone has nothing left to give back, so that this never hides another error. */
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

  #fail(error: Error): void {
    this.#failure ??= error;
    for (const { reject } of this.#pending.values()) reject(this.#failure);
    this.#pending.clear();
  }

  /** Lets everything sent before finish, frees the sessions, then waits for the thread to end. */
  async close(): Promise<void> {
    if (this.#failure !== undefined) return;
    const ended = new Promise<void>((resolve) => this.#worker.once("exit", () => resolve()));
    await this.send({ kind: "close" });
    this.#failure = new EngineError("was disposed", { where: "engine" });
    this.#worker.ref();
    await ended;
  }
}

class RemoteState implements State {
  readonly id: number;
  readonly shape: readonly number[];
  readonly connection: Connection;

  constructor(connection: Connection, id: number, shape: readonly number[]) {
    this.connection = connection;
    this.id = id;
    this.shape = shape;
  }

  async read(): Promise<Float32Array> {
    return (await this.connection.send({ kind: "readState", state: this.id })) as Float32Array;
  }

  async write(data: Float32Array, offset: number): Promise<void> {
    await this.connection.send({ kind: "writeState", state: this.id, data: plainCopy(data), offset });
  }

  async dispose(): Promise<void> {
    await this.connection.release({ kind: "disposeState", state: this.id });
  }
}

class RemoteSession implements Session {
  readonly model: Session["model"];
  readonly #connection: Connection;
  readonly #id: number;

  constructor(connection: Connection, id: number, model: OnnxModel) {
    this.#connection = connection;
    this.#id = id;
    this.model = { inputs: model.inputs, outputs: model.outputs, parameters: model.parameters };
  }

  /** Its number, and feeds as they are sent to its engine. */
  address(connection: Connection, feeds: Feeds): { session: number; feeds: Record<string, FeedMessage> } {
    if (connection !== this.#connection) {
      throw new InputError("the session belongs to another engine", { where: "runChain" });
    }
    const messages = Object.entries(feeds).map(([name, feed]) => [name, this.#feed(name, feed)] as const);
    return { session: this.#id, feeds: Object.fromEntries(messages) };
  }

  async run(feeds: Feeds, request: RunRequest = {}): Promise<Record<string, HostTensor>> {
    const store = (request.store ?? []).map((rule) => ({
      ...rule,
      state: stateId(this.#connection, rule.state, rule.output),
    }));
    const result = await this.#connection.send({
      kind: "run",
      ...this.address(this.#connection, feeds),
      fetch: request.fetch,
      store,
    });
    return result as Record<string, HostTensor>;
  }

  #feed(name: string, feed: Feeds[string]): FeedMessage {
    if ("rows" in feed) return { state: stateId(this.#connection, feed.state, name), rows: feed.rows };
    if (!("dtype" in feed)) return { state: stateId(this.#connection, feed, name) };
    return { dtype: feed.dtype, shape: feed.shape, data: plainCopy(feed.data) };
  }

  async dispose(): Promise<void> {
    await this.#connection.release({ kind: "disposeSession", session: this.#id });
  }
}

function stateId(connection: Connection, state: State, where: string): number {
  if (state instanceof RemoteState && state.connection === connection) return state.id;
  throw new InputError("the state belongs to another engine", { where });
}

/**
 * Posting copies the whole buffer behind a view, and ONNX Runtime refuses shared memory as input: both are copied
 * out first. Anything else is left to the copy that posting makes.
 */
function plainCopy<Data extends TensorData>(data: Data): Data {
  const isWhole = data.buffer instanceof ArrayBuffer && data.byteLength === data.buffer.byteLength;
  return isWhole ? data : (data.slice() as Data);
}

/** Where the thread's code is: beside this file in the sources, in `runtime/` of the build wherever a bundler put this. */
function workerUrl(): URL {
  if (import.meta.url.endsWith(".ts")) return new URL("./engine-worker-from-sources.mjs", import.meta.url);
  const candidates = ["./engine-worker.js", "./runtime/engine-worker.js", "../runtime/engine-worker.js"];
  for (const candidate of candidates) {
    const url = new URL(candidate, import.meta.url);
    if (existsSync(fileURLToPath(url))) return url;
  }
  throw new EngineError("runtime/engine-worker.js is missing from the installed package", {
    where: import.meta.url,
    remedy: "install the package again",
  });
}

/** An engine whose sessions run in a worker thread. Runs queue: one is computed after another, in order. */
export class WorkerEngine implements Engine {
  readonly #connection: Connection;
  #nextSession = 0;
  #nextState = 0;

  private constructor(connection: Connection) {
    this.#connection = connection;
  }

  /** Starts the thread; it loads ONNX Runtime while the caller goes on. */
  static create(options: EngineOptions = {}): WorkerEngine {
    return new WorkerEngine(new Connection(options));
  }

  /**
   * Weights in shared memory are used in place. Others are copied to the thread as they come, few on the way at a
   * time, so that a caller who reads them from a file never holds them all.
   */
  async createSession(model: OnnxModel, weights?: WeightSource): Promise<Session> {
    const session = this.#nextSession++;
    let onTheWay: Promise<Result>[] = [];
    let bytes = 0;
    for (const port of boundParameters(model)) {
      if (weights === undefined)
        throw new InputError("no weights given", { where: `parameter "${port.name}"` });
      const data = await weights(port);
      const shared = data.buffer instanceof SharedArrayBuffer;
      onTheWay.push(
        this.#connection.send({
          kind: "weight",
          session,
          name: port.name,
          data: shared ? data : plainCopy(data),
        }),
      );
      bytes += data.byteLength;
      if (bytes > MAX_BYTES_ON_THE_WAY) {
        await Promise.all(onTheWay);
        onTheWay = [];
        bytes = 0;
      }
    }
    await Promise.all(onTheWay);
    await this.#connection.send({ kind: "createSession", session, model });
    return new RemoteSession(this.#connection, session, model);
  }

  async createState(shape: readonly number[], origin?: StateOrigin): Promise<State> {
    const state = this.#nextState++;
    const from =
      origin === undefined
        ? undefined
        : { ...origin, state: stateId(this.#connection, origin.state, "createState") };
    await this.#connection.send({ kind: "createState", state, shape, origin: from });
    return new RemoteState(this.#connection, state, shape);
  }

  async copyRows(source: State, target: State, rows: readonly RowCopy[]): Promise<void> {
    const [from, to] = [source, target].map((state) => stateId(this.#connection, state, "copyRows"));
    await this.#connection.send({ kind: "copyRows", source: from as number, target: to as number, rows });
  }

  async runChain(links: readonly ChainLink[]): Promise<readonly Record<string, HostTensor>[]> {
    const messages = links.map(({ session, feeds, ...link }) => {
      if (session instanceof RemoteSession) return { ...link, ...session.address(this.#connection, feeds) };
      throw new InputError("the session belongs to another engine", { where: "runChain" });
    });
    const results = await this.#connection.send({ kind: "runChain", links: messages });
    return results as readonly Record<string, HostTensor>[];
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#connection.close();
  }
}
