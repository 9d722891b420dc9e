/**
 * @file An engine in a thread of its own, so that the caller's event loop stays alive while a run computes: for
 * progress, cancelling and servers. Behaves as the local engine does.
 */
import { InputError } from "../../errors.ts";
import { boundParameters } from "../../graph/onnx-weights.ts";
import type { OnnxModel } from "../../graph/onnx-writer.ts";
import type {
  ChainLink,
  Engine,
  EngineOptions,
  Feeds,
  HostTensor,
  RowCopy,
  RunRequest,
  ScratchSpace,
  Session,
  State,
  StateOrigin,
  WeightSource,
} from "../engine.ts";
import { Connection, plainCopy } from "./engine-connection.ts";
import type { FeedMessage } from "./engine-messages.ts";
import { WeightSpill } from "./weight-spill.ts";
import { WeightUpload } from "./weight-upload.ts";

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
  readonly #spill: AsyncDisposable;

  /** @param spill what is left of it goes with the session. */
  constructor(connection: Connection, id: number, model: OnnxModel, spill: AsyncDisposable) {
    this.#connection = connection;
    this.#id = id;
    this.#spill = spill;
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
    await this.#spill[Symbol.asyncDispose]();
  }
}

function stateId(connection: Connection, state: State, where: string): number {
  if (state instanceof RemoteState && state.connection === connection) return state.id;
  throw new InputError("the state belongs to another engine", { where });
}

/** An engine whose sessions run in a worker thread. Runs queue: one is computed after another, in order. */
export class WorkerEngine implements Engine {
  readonly #connection: Connection;
  readonly #options: EngineOptions;
  /** Files that could not be removed while they are mapped. */
  readonly #left = new Set<WeightSpill>();
  #nextSession = 0;
  #nextState = 0;

  private constructor(options: EngineOptions) {
    this.#connection = new Connection(options);
    this.#options = options;
  }

  /** Starts the thread; it loads ONNX Runtime while the caller goes on. */
  static create(options: EngineOptions = {}): WorkerEngine {
    return new WorkerEngine(options);
  }

  /**
   * Weights in files are opened by the thread, those in shared memory are used in place, others are copied to the
   * thread as they come, unless they go through a scratch file.
   */
  async createSession(
    model: OnnxModel,
    weights?: WeightSource,
    onScratch?: (space: ScratchSpace) => void,
  ): Promise<Session> {
    const session = this.#nextSession++;
    const upload = new WeightUpload(this.#connection, session);
    const spill = new WeightSpill(model, this.#options, onScratch);
    try {
      for (const port of boundParameters(model)) {
        if (weights === undefined)
          throw new InputError("no weights given", { where: `parameter "${port.name}"` });
        await upload.add(port.name, await spill.place(port, await weights(port)));
      }
      await upload.finish();
      await spill.finish();
      await this.#connection.send({ kind: "createSession", session, model });
    } catch (error) {
      await this.#connection.release({ kind: "dropWeights", session });
      throw error;
    } finally {
      await spill[Symbol.asyncDispose]();
      if (spill.remains) this.#left.add(spill);
    }
    return new RemoteSession(this.#connection, session, model, spill);
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
    for (const spill of this.#left) await spill[Symbol.asyncDispose]();
  }
}
