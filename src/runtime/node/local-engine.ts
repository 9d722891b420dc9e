/** @file ONNX Runtime in the calling thread. `run` blocks it; inputs are read in place, outputs are fresh buffers. */
import { availableParallelism } from "node:os";
import { EngineError, InputError } from "../../errors.ts";
import { bindWeights } from "../../graph/onnx-weights.ts";
import type { OnnxModel } from "../../graph/onnx-writer.ts";
import type {
  ChainLink,
  Engine,
  EngineOptions,
  Feeds,
  HostTensor,
  LinkOutput,
  RowCopy,
  RunRequest,
  ScratchSpace,
  Session,
  State,
  StateOrigin,
  StoreRule,
  WeightSource,
} from "../engine.ts";
import { FeedCheck } from "../feeds.ts";
import { type BoundWeights, bindAll } from "./bound-weights.ts";
import { type InferenceSession, loadOnnxRuntime, type OnnxRuntime, type Tensor } from "./onnxruntime.ts";
import { WeightSpill } from "./weight-spill.ts";

/** ONNX Runtime's severity "error": warnings about unused initializers and the like are not for users. */
const LOG_ERRORS = 3;

class LocalState implements State {
  readonly id: number;
  readonly shape: readonly number[];
  readonly data: Float32Array<ArrayBuffer>;

  constructor(id: number, shape: readonly number[]) {
    this.id = id;
    this.shape = shape;
    this.data = new Float32Array(shape.reduce((a, b) => a * b, 1));
  }

  async read(): Promise<Float32Array> {
    return this.data.slice();
  }

  async write(data: Float32Array, offset: number): Promise<void> {
    this.data.set(data, offset);
  }

  async dispose(): Promise<void> {}
}

class LocalSession implements Session {
  readonly model: Session["model"];
  readonly #runtime: OnnxRuntime;
  readonly #session: InferenceSession;
  readonly #spill: AsyncDisposable;
  readonly #check: FeedCheck;
  #disposed = false;

  /** @param spill what is left of it goes with the session. */
  constructor(runtime: OnnxRuntime, model: OnnxModel, session: InferenceSession, spill: AsyncDisposable) {
    this.#runtime = runtime;
    this.model = { inputs: model.inputs, outputs: model.outputs, parameters: model.parameters };
    this.#session = session;
    this.#spill = spill;
    this.#check = new FeedCheck(model.inputs);
  }

  async run(feeds: Feeds, request: RunRequest = {}): Promise<Record<string, HostTensor>> {
    const given = new Map(Object.entries(feeds).map(([name, feed]) => [name, asHost(feed)]));
    this.#check.check(
      new Map(
        [...given].map(([name, { dtype, shape, data }]) => [name, { dtype, shape, length: data.length }]),
      ),
    );
    const stored = new Set((request.store ?? []).map(({ output }) => output));
    const fetch =
      request.fetch ?? this.model.outputs.map(({ name }) => name).filter((name) => !stored.has(name));
    const tensors: Record<string, Tensor> = {};
    for (const [name, { dtype, shape, data }] of given) {
      tensors[name] = new this.#runtime.Tensor(dtype, data, shape);
    }
    let results: InferenceSession.OnnxValueMapType;
    try {
      results = await this.#session.run(tensors, [...new Set([...fetch, ...stored])]);
    } catch (cause) {
      throw new EngineError(cause instanceof Error ? cause.message : String(cause), { where: "run", cause });
    }
    for (const rule of request.store ?? []) applyStore(rule, fromTensor(results[rule.output] as Tensor));
    return Object.fromEntries(fetch.map((name) => [name, fromTensor(results[name] as Tensor)]));
  }

  /** Idempotent, since the engine disposes what its caller has left open. */
  async dispose(): Promise<void> {
    if (this.#disposed) return;
    this.#disposed = true;
    await this.#session.release();
    await this.#spill[Symbol.asyncDispose]();
  }
}

function asHost(feed: Feeds[string]): HostTensor {
  if (feed instanceof LocalState) return { dtype: "float32", shape: feed.shape, data: feed.data };
  if ("data" in feed) return feed;
  if ("rows" in feed && feed.state instanceof LocalState) {
    const { state, rows } = feed;
    const [all = 0, ...row] = state.shape;
    if (rows > all) throw new InputError(`${rows} rows of [${state.shape}]`, { where: "feed" });
    const elements = rows * row.reduce((a, b) => a * b, 1);
    return { dtype: "float32", shape: [rows, ...row], data: state.data.subarray(0, elements) };
  }
  throw new InputError("the state belongs to another engine", { where: "feed" });
}

function fromTensor(tensor: Tensor): HostTensor {
  const { data } = tensor;
  if (data instanceof Float32Array) return { dtype: "float32", shape: tensor.dims, data };
  if (data instanceof BigInt64Array) return { dtype: "int64", shape: tensor.dims, data };
  if (data instanceof Uint8Array) return { dtype: "bool", shape: tensor.dims, data };
  throw new EngineError(`output of type ${tensor.type} is not read`, { where: "run" });
}

/** Copies an output into a state along one axis: whole runs of the axes behind it at a time. */
function applyStore(rule: StoreRule, output: HostTensor): void {
  const { state, axis, starts } = rule;
  if (!(state instanceof LocalState))
    throw new InputError("the state belongs to another engine", { where: "store" });
  const [rows = 0] = output.shape;
  const source = output.data as Float32Array;
  const length = output.shape[axis] as number;
  const capacity = state.shape[axis] as number;
  const inner = output.shape.slice(axis + 1).reduce((a, b) => a * b, 1);
  const middle = output.shape.slice(1, axis).reduce((a, b) => a * b, 1);
  const fits = state.shape.every(
    (size, index) => index === 0 || index === axis || size === output.shape[index],
  );
  if (!fits || axis < 1)
    throw new InputError(`[${output.shape}] does not fit state [${state.shape}]`, { where: rule.output });
  for (let row = 0; row < rows; row++) {
    const target = rule.rows?.[row] ?? row;
    const start = starts[row] as number;
    if (start < 0 || start + length > capacity || target >= (state.shape[0] as number)) {
      throw new InputError(`row ${target} from ${start}: beyond state [${state.shape}]`, {
        where: rule.output,
      });
    }
    for (let m = 0; m < middle; m++) {
      const from = (row * middle + m) * length * inner;
      const to = ((target * middle + m) * capacity + start) * inner;
      state.data.set(source.subarray(from, from + length * inner), to);
    }
  }
}

/** Fills a new state from its origin. */
function copyOverlap({ state: from, rows }: StateOrigin, to: LocalState): void {
  const [held, places] = [from.shape[0] ?? 0, to.shape[0] ?? 0];
  const count = rows === undefined ? Math.min(held, places) : places;
  const copies = Array.from({ length: count }, (_, row) => ({
    from: rows === undefined ? row : (rows[row] ?? -1),
    to: row,
  }));
  copyStateRows(from, to, copies, "createState");
}

/** A run of the last axis at a time. */
function copyStateRows(from: State, to: State, rows: readonly RowCopy[], where: string): void {
  const comparable = from.shape.length === to.shape.length && to.shape.length >= 2;
  if (!(from instanceof LocalState) || !(to instanceof LocalState) || !comparable) {
    throw new InputError(`[${from.shape}] cannot be copied to [${to.shape}]`, { where });
  }
  const overlap = to.shape.map((size, axis) => Math.min(size, from.shape[axis] as number));
  const partial = overlap.some((size, axis) => axis > 0 && size < (to.shape[axis] as number));
  const last = overlap.length - 1;
  const walk = (axis: number, source: number, target: number): void => {
    if (axis === last) {
      to.data.set(from.data.subarray(source, source + (overlap[axis] as number)), target);
      return;
    }
    for (let index = 0; index < (overlap[axis] as number); index++) {
      walk(
        axis + 1,
        (source + index) * (from.shape[axis + 1] as number),
        (target + index) * (to.shape[axis + 1] as number),
      );
    }
  };
  const size = to.data.length / Math.max(1, to.shape[0] as number);
  for (const { from: source, to: target } of rows) {
    if (source < 0 || source >= (from.shape[0] as number)) {
      throw new InputError(`row ${source} is not in [${from.shape}]`, { where });
    }
    if (target < 0 || target >= (to.shape[0] as number)) {
      throw new InputError(`row ${target} is not in [${to.shape}]`, { where });
    }
    if (partial) to.data.fill(0, target * size, (target + 1) * size);
    walk(1, source * (from.shape[1] as number), target * (to.shape[1] as number));
  }
}

/** An engine whose sessions run in the calling thread. */
export class LocalEngine implements Engine {
  readonly #options: EngineOptions;
  readonly #sessions = new Set<LocalSession>();
  #nextState = 0;

  constructor(options: EngineOptions = {}) {
    this.#options = options;
  }

  async createSession(
    model: OnnxModel,
    weights?: WeightSource,
    onScratch?: (space: ScratchSpace) => void,
  ): Promise<Session> {
    const spill = new WeightSpill(model, this.#options, onScratch);
    try {
      const placed: WeightSource | undefined =
        weights && (async (port) => spill.place(port, await weights(port)));
      const bound = await bindAll(model, placed);
      await spill.finish();
      return await this.#createBound(model, bound, spill);
    } finally {
      await spill[Symbol.asyncDispose]();
    }
  }

  async #createBound(
    model: OnnxModel,
    { places, buffers, folder }: BoundWeights,
    spill: AsyncDisposable,
  ): Promise<Session> {
    const options: InferenceSession.SessionOptions = {
      executionProviders: ["cpu"],
      intraOpNumThreads: this.#options.threads ?? availableParallelism(),
      logSeverityLevel: LOG_ERRORS,
      enableMemPattern: this.#options.memoryPattern !== false,
      externalData: buffers,
      extra: {
        session: {
          intra_op: { allow_spinning: this.#options.spin === false ? "0" : "1" },
          // Not from the arena, which would keep the room of weights that were packed and dropped.
          use_device_allocator_for_initializers: "1",
          ...(folder === undefined ? {} : { model_external_initializers_file_folder_path: folder }),
        },
      },
    };
    try {
      const runtime = await loadOnnxRuntime();
      const bound = await runtime.InferenceSession.create(bindWeights(model, places), options);
      const session = new LocalSession(runtime, model, bound, spill);
      this.#sessions.add(session);
      return session;
    } catch (cause) {
      throw new EngineError(cause instanceof Error ? cause.message : String(cause), {
        where: "session",
        cause,
      });
    }
  }

  async createState(shape: readonly number[], origin?: StateOrigin): Promise<State> {
    const state = new LocalState(this.#nextState++, shape);
    if (origin !== undefined) copyOverlap(origin, state);
    return state;
  }

  async copyRows(source: State, target: State, rows: readonly RowCopy[]): Promise<void> {
    copyStateRows(source, target, rows, "copyRows");
  }

  async runChain(links: readonly ChainLink[]): Promise<readonly Record<string, HostTensor>[]> {
    const done: Record<string, HostTensor>[] = [];
    for (const { session, feeds, takes = {} } of links) {
      const taken = Object.entries(takes).map(([name, from]) => [name, takenOutput(done, from)] as const);
      done.push(await session.run({ ...feeds, ...Object.fromEntries(taken) }));
    }
    return links.map(({ fetch = [] }, index) =>
      Object.fromEntries(fetch.map((output) => [output, takenOutput(done, { link: index, output })])),
    );
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const session of this.#sessions) await session.dispose();
    this.#sessions.clear();
  }
}

function takenOutput(
  done: readonly Record<string, HostTensor>[],
  { link, output, rows }: LinkOutput,
): HostTensor {
  const tensor = done[link]?.[output];
  const [all = 0, ...row] = tensor?.shape ?? [];
  if (tensor === undefined || (rows ?? 0) > all) {
    throw new InputError(`link ${link} has no "${output}" of ${rows ?? "any"} rows`, { where: "runChain" });
  }
  if (rows === undefined) return tensor;
  const elements = rows * row.reduce((a, b) => a * b, 1);
  return { ...tensor, shape: [rows, ...row], data: tensor.data.subarray(0, elements) };
}
