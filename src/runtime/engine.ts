/**
 * @file What the rest of the house sees of ONNX Runtime: engines that hold sessions and state. Two kinds exist:
 * the local engine runs in the calling thread (training, benchmarks), the worker engine in a thread of its own
 * (generation, anything with an event loop to keep alive). Both behave the same.
 */
import type { OnnxModel, Port } from "../graph/onnx-writer.ts";
import type { ComputeType } from "../graph/value.ts";
import type { DType, TypedArray } from "../tensor/dtype.ts";

export type TensorData = Float32Array | BigInt64Array | Uint8Array;

/** Plain data at the border of a run. `data` holds the product of `shape` elements, row-major. */
export interface HostTensor {
  readonly dtype: ComputeType;
  readonly shape: readonly number[];
  readonly data: TensorData;
}

/**
 * A float32 buffer that lives beside the sessions and is read by them without copying: KV caches. Its content
 * changes only through {@link State.write} and the `store` rules of a run.
 */
export interface State {
  readonly id: number;
  readonly shape: readonly number[];
  read(): Promise<Float32Array>;
  /** Copies `data` to element `offset` on. */
  write(data: Float32Array, offset: number): Promise<void>;
  dispose(): Promise<void>;
}

/** The first `rows` rows of a state, read in place. */
export interface StateRows {
  readonly state: State;
  readonly rows: number;
}

/** Row `from` of a source to row `to` of a target. */
export interface RowCopy {
  readonly from: number;
  readonly to: number;
}

/** What a new state starts from: row r is row `rows[r]` of `state`; without `rows`, row r. */
export interface StateOrigin {
  readonly state: State;
  readonly rows?: readonly number[];
}

/**
 * After a run, copy an output into a state instead of returning it: `output [rows, ..., n, ...]` is placed along
 * `axis` of `state [rows, ..., capacity, ...]` from `starts[row]` on, all other axes being equal. Row r of the
 * output goes to row `rows[r]` of the state; without `rows`, to row r.
 */
export interface StoreRule {
  readonly output: string;
  readonly state: State;
  readonly axis: number;
  readonly starts: readonly number[];
  readonly rows?: readonly number[];
}

export interface RunRequest {
  /** Outputs to compute and return. Default: all that no store rule takes. */
  readonly fetch?: readonly string[];
  readonly store?: readonly StoreRule[];
}

export type Feeds = Readonly<Record<string, HostTensor | State | StateRows>>;

export interface Session {
  readonly model: Pick<OnnxModel, "inputs" | "outputs" | "parameters">;
  /**
   * One run of the graph.
   * @throws InputError when a feed is missing, unknown, or of another dtype or shape than the graph's input.
   * @throws EngineError when ONNX Runtime fails.
   */
  run(feeds: Feeds, request?: RunRequest): Promise<Record<string, HostTensor>>;
  dispose(): Promise<void>;
}

/** One run of several that follow each other. */
export interface ChainLink {
  readonly session: Session;
  readonly feeds: Feeds;
  /** Inputs that are outputs of earlier links, by the link's index: whole, or their first rows. */
  readonly takes?: Readonly<Record<string, LinkOutput>>;
  /** Outputs that the caller wants to have. Default: none. */
  readonly fetch?: readonly string[];
}

export interface LinkOutput {
  readonly link: number;
  readonly output: string;
  readonly rows?: number;
}

/** A weight in memory, row-major, as it is stored: 16-bit floats as their bits. */
export interface WeightBytes {
  readonly dtype: DType;
  readonly data: TypedArray;
}

/**
 * A weight in a file: bytes `offset` to `offset + length` hold its elements, little-endian, row-major, without gaps.
 * The thread that hosts the engine opens the file, which must stay as it is for as long as the session lives.
 */
export interface WeightRange {
  readonly dtype: DType;
  readonly file: string;
  readonly offset: number;
  readonly length: number;
}

/** An array alone is float32. */
export type StoredWeight = Float32Array | WeightBytes | WeightRange;

/**
 * Says where the elements of a parameter are; called once a parameter while a session is created. The engine makes
 * float32 of any other type; a parameter that the graph asks for in another type must be stored in that type.
 */
export type WeightSource = (port: Port) => StoredWeight | Promise<StoredWeight>;

export interface EngineOptions {
  /** Threads of one operator. Default: the machine's processors. */
  readonly threads?: number;
  /** Let idle engine threads spin for the next operator. Faster alone, slower beside other work. Default true. */
  readonly spin?: boolean;
  /**
   * Lay out the values of shapes that come again as one block. Faster where runs are short; but that block comes on top of
   * what the first run took, so that a large run takes twice the memory from the second time on. Default true.
   */
  readonly memoryPattern?: boolean;
}

export interface Engine extends AsyncDisposable {
  /** `weights` is required when parameters of the model were written as initializers. */
  createSession(model: OnnxModel, weights?: WeightSource): Promise<Session>;
  /**
   * A state of zeros. With an origin of the same rank, what overlaps is copied from it: this is how a cache grows,
   * and how its rows are dropped, repeated and reordered.
   */
  createState(shape: readonly number[], origin?: StateOrigin): Promise<State>;
  /**
   * Copies rows of a state into another one of the same rank, or about within one, in the order given. What a row of the
   * target has no counterpart for in the source becomes zero.
   */
  copyRows(source: State, target: State, rows: readonly RowCopy[]): Promise<void>;
  /**
   * Runs that feed each other, without the way back and forth between them: a solver's steps are short.
   * @returns for each link what it fetches
   * @throws as {@link Session.run} does; InputError for an output that no earlier link has.
   */
  runChain(links: readonly ChainLink[]): Promise<readonly Record<string, HostTensor>[]>;
}
