/** @file The engine sessions of an open model, each made when it is first needed and shared by all that runs on it. */
import type { AutoencoderFolder } from "../checkpoint/autoencoder-folder.ts";
import type { ModelFolder } from "../checkpoint/model-folder.ts";
import type { TensorSet } from "../checkpoint/tensor-set.ts";
import { AbortedError, InputError, ModelFormatError, refuseAborted } from "../errors.ts";
import type { OnnxModel } from "../graph/onnx-writer.ts";
import type { AutoencoderConfig } from "../model/autoencoder-config.ts";
import type { NextStepConfig } from "../model/config.ts";
import type { WeightPlan } from "../model/weight-format.ts";
import type { Engine, Session, State, WeightSource } from "../runtime/engine.ts";
import { promptly, type Relay, relayed, untilAborted } from "./abort.ts";
import type { OpenAdapters } from "./adapter-mix.ts";
import { AdapterTables } from "./adapter-tables.ts";
import { decoderGraph, encoderGraph, latentNormGraph } from "./autoencoder-graphs.ts";
import { backboneGraph } from "./backbone-graph.ts";
import { CachedRows } from "./cached-rows.ts";
import { flowErrorGraph, imageHeadGraph, lmHeadGraph } from "./head-graphs.ts";
import type { WorkWatch } from "./model-work.ts";
import { partParameters, type WeightPart } from "./part-weights.ts";
import { storedEmbedding } from "./stored-embedding.ts";
import type { TokenEmbedding } from "./token-feeds.ts";

interface Entry {
  readonly session: Promise<Session>;
  /** How many still wait for it, or have it. Its weights are not read on for nobody. */
  users: number;
}

/** Weights with the sessions that hold them; `tensors` of the model or of its autoencoder. */
interface Source {
  readonly tensors: Pick<TensorSet, "weightSource" | "checkUnchanged">;
}

export class ModelSessions {
  readonly engine: Engine;
  readonly folder: ModelFolder;
  /** Rows of the vocabulary's table. */
  readonly embed: TokenEmbedding;
  readonly onWork: WorkWatch;
  /** Adapters that pictures may be drawn with. */
  readonly adapters: OpenAdapters;
  /** Their matrices beside the image head; undefined where none stands there. */
  readonly headAdapters: AdapterTables | undefined;
  readonly #backboneAdapters: AdapterTables | undefined;
  readonly #autoencoderEngine: () => Engine;
  #ownEngine: Engine | undefined;
  readonly #sessions = new Map<string, Entry>();
  /** Parts of the autoencoder whose weights are being read. */
  readonly #parts = new Set<Promise<Session>>();
  readonly #closing = new AbortController();
  /** Of relays: a listener each on one signal would be more than a signal is meant to have. */
  readonly #relayed = new Set<AbortController>();
  /** Signals that say so already when the sessions are closed. */
  readonly #signals = new WeakSet<AbortSignal>([this.#closing.signal]);

  /**
   * @param autoencoderEngine gives the engine of the autoencoder when that is first needed, to be disposed with the
   * sessions: one of its own, so that decoding a picture does not hold up the tokens of others. Default: the same engine.
   * @param adapters of this model's linears. Default: none.
   * @param onWork told of what is done with them. Default: nobody hears it.
   */
  constructor(
    engine: Engine,
    folder: ModelFolder,
    autoencoderEngine?: () => Engine,
    adapters: OpenAdapters = new Map(),
    onWork: WorkWatch = () => {},
  ) {
    this.engine = engine;
    this.onWork = onWork;
    this.adapters = adapters;
    this.#backboneAdapters = tablesOf("transformer", engine, folder, adapters);
    this.headAdapters = tablesOf("image head", engine, folder, adapters);
    this.folder = folder;
    this.embed = storedEmbedding(folder.config, folder.tensors);
    this.#autoencoderEngine = () => {
      if (autoencoderEngine === undefined) return engine;
      this.#ownEngine ??= autoencoderEngine();
      return this.#ownEngine;
    };
  }

  /**
   * A signal for all of a caller's work, that says so when the sessions are closed; to be disposed when the work is done.
   * {@link signal} gives it back as it is.
   */
  relay(...own: readonly (AbortSignal | undefined)[]): Relay {
    const closing = new AbortController();
    if (this.#closing.signal.aborted) closing.abort(this.#closing.signal.reason);
    else this.#relayed.add(closing);
    const relay = relayed(...own, closing.signal);
    this.#signals.add(relay.signal);
    return {
      signal: relay.signal,
      [Symbol.dispose]: () => {
        this.#relayed.delete(closing);
        this.#signals.delete(relay.signal);
        relay[Symbol.dispose]();
      },
    };
  }

  /** A caller's signal, or one that says so when the sessions are closed. */
  signal(own?: AbortSignal): AbortSignal {
    if (own === undefined) return this.#closing.signal;
    if (this.#signals.has(own)) return own;
    const either = AbortSignal.any([own, this.#closing.signal]);
    this.#signals.add(either);
    return either;
  }

  backbone(signal?: AbortSignal): Promise<Session> {
    const names = this.#backboneAdapters?.names;
    return this.#ofModel("transformer", (config, plan) => backboneGraph(config, plan, names), signal);
  }

  /** Rows without tokens. */
  async cachedRows(rows: number, signal?: AbortSignal): Promise<CachedRows> {
    const { engine, folder, embed } = this;
    const session = await this.backbone(signal);
    const adapters = this.#backboneAdapters;
    return new CachedRows({ engine, session, config: folder.config, embed, adapters }, rows);
  }

  /** What the adapters' matrices may take of the memory beside what they have. */
  get adapterBytesToCome(): number {
    return (this.#backboneAdapters?.bytesToCome ?? 0) + (this.headAdapters?.bytesToCome ?? 0);
  }

  /** Parts whose weights are in memory, or on their way there. */
  get loaded(): ReadonlySet<string> {
    return new Set(this.#sessions.keys());
  }

  /** The image head under its solver, some steps a run. */
  imageHead(signal?: AbortSignal): Promise<Session> {
    const names = this.headAdapters?.names;
    return this.#ofModel("image head", (config, plan) => imageHeadGraph(config, plan, names), signal);
  }

  /** The image head's errors on tokens that are known. */
  flowErrors(signal?: AbortSignal): Promise<Session> {
    const names = this.headAdapters?.names;
    return this.#ofModel("flow errors", (config, plan) => flowErrorGraph(config, plan, names), signal);
  }

  lmHead(signal?: AbortSignal): Promise<Session> {
    return this.#ofModel("lm head", lmHeadGraph, signal);
  }

  encoder(signal?: AbortSignal): Promise<Session> {
    return this.#ofAutoencoder("encoder", encoderGraph, signal);
  }

  decoder(signal?: AbortSignal): Promise<Session> {
    return this.#ofAutoencoder("decoder", decoderGraph, signal);
  }

  /** A session of a part of the autoencoder that is not kept here: who asks for it disposes it. */
  async autoencoderPart(
    graph: (config: AutoencoderConfig, plan: WeightPlan) => OnnxModel,
    own?: AbortSignal,
  ): Promise<Session> {
    const signal = this.signal(own);
    refuseAborted(signal);
    const { config, tensors } = this.autoencoder;
    const engine = this.#autoencoderEngine();
    const loading = createUnchanged(engine, tensors, graph(config, tensors.weightPlan), tensors.weightSource);
    this.#parts.add(loading);
    loading.catch(() => {}).finally(() => this.#parts.delete(loading));
    return untilHeld(loading, signal);
  }

  /** What the encoder does with the mean of its posterior, here with that of {@link encoderPasses}. shape [1, c, h, w] */
  async latentNorm(
    mean: Float32Array,
    shape: readonly number[],
    signal?: AbortSignal,
  ): Promise<Float32Array> {
    if (!this.autoencoder.config.encoderNorm) return mean;
    const ends = this.signal(signal);
    const session = await this.autoencoderPart(latentNormGraph, ends);
    await using _session = promptly({ [Symbol.asyncDispose]: () => session.dispose() }, ends);
    const run = session.run({ mean: { dtype: "float32", shape, data: mean } });
    const result = await untilAborted(run, ends);
    return result.normal?.data as Float32Array;
  }

  /** Zeros on the autoencoder's engine. Who asks disposes them. */
  async autoencoderState(shape: readonly number[], own?: AbortSignal): Promise<State> {
    const signal = this.signal(own);
    refuseAborted(signal);
    return untilHeld(this.#autoencoderEngine().createState(shape), signal);
  }

  #ofModel(
    name: string,
    graph: (config: NextStepConfig, plan: WeightPlan) => OnnxModel,
    signal: AbortSignal | undefined,
  ): Promise<Session> {
    const { config, tensors } = this.folder;
    return this.#once(name, this.engine, this.folder, () => graph(config, tensors.weightPlan), signal);
  }

  async #ofAutoencoder(
    name: string,
    graph: (config: AutoencoderConfig, plan: WeightPlan) => OnnxModel,
    own: AbortSignal | undefined,
  ): Promise<Session> {
    const signal = this.signal(own);
    // An engine that is made after the sessions are closed would be disposed by nobody.
    refuseAborted(signal);
    const { autoencoder } = this;
    const { config, tensors } = autoencoder;
    const engine = this.#autoencoderEngine();
    return this.#once(name, engine, autoencoder, () => graph(config, tensors.weightPlan), signal);
  }

  /** @throws ModelFormatError when the model folder has none. */
  get autoencoder(): AutoencoderFolder {
    const { autoencoder, path } = this.folder;
    if (autoencoder !== undefined) return autoencoder;
    throw new ModelFormatError("has no autoencoder, without which there are no pictures", {
      where: path,
      remedy: "put the image tokenizer's files into its folder vae/",
    });
  }

  /** Whether the engines still take work. */
  async answer(): Promise<boolean> {
    try {
      for (const engine of new Set([this.engine, this.#ownEngine ?? this.engine])) {
        await (await engine.createState([1])).dispose();
      }
      return true;
    } catch {
      return false;
    }
  }

  /**
   * Ends what still runs on the sessions, with an InputError that says so, and the autoencoder's engine. Resolves when no
   * weights are read any more, so that the folder's files can be closed.
   */
  async close(): Promise<void> {
    const closed = new InputError("was closed", { where: this.folder.path, remedy: "open the model again" });
    this.#closing.abort(closed);
    for (const closing of this.#relayed) closing.abort(closed);
    await Promise.allSettled([...[...this.#sessions.values()].map(({ session }) => session), ...this.#parts]);
    await this.#ownEngine?.[Symbol.asyncDispose]();
  }

  /**
   * A failure is not kept: the next to ask tries again. Loading goes on while anyone waits for it.
   * @throws AbortedError at once when the caller's signal says so
   */
  async #once(
    name: string,
    engine: Engine,
    { tensors }: Source,
    graph: () => OnnxModel,
    own: AbortSignal | undefined,
  ): Promise<Session> {
    const signal = this.signal(own);
    refuseAborted(signal);
    const entry = this.#sessions.get(name) ?? this.#load(name, engine, tensors, graph);
    entry.users++;
    try {
      return await untilAborted(entry.session, signal);
    } catch (error) {
      entry.users--;
      throw error;
    }
  }

  #load(name: string, engine: Engine, tensors: Source["tensors"], graph: () => OnnxModel): Entry {
    const { weightSource } = tensors;
    const weights: WeightSource = (port) => {
      if (entry.users > 0) return weightSource(port);
      this.#sessions.delete(name);
      throw new AbortedError("nobody waits for these weights any more", { where: name });
    };
    // Whoever asks is counted before the first weight is read.
    const session = Promise.resolve().then(() => createUnchanged(engine, tensors, graph(), weights));
    const entry: Entry = { session, users: 0 };
    this.#sessions.set(name, entry);
    session.catch(() => {
      if (this.#sessions.get(name) === entry) this.#sessions.delete(name);
    });
    return entry;
  }
}

/** Tables of the linears of a part that any of the adapters stands beside. */
function tablesOf(
  part: WeightPart,
  engine: Engine,
  { parameters, config }: ModelFolder,
  adapters: OpenAdapters,
): AdapterTables | undefined {
  const own = new Set(partParameters(part, parameters, config).map(({ name }) => name));
  const linears = [...adapters.values()].flatMap((adapter) => adapter.linears);
  const adapted = new Map(
    linears.filter(({ name }) => own.has(`${name}.weight`)).map((linear) => [linear.name, linear]),
  );
  if (adapted.size === 0) return undefined;
  const rank = Math.max(...linears.map((linear) => linear.rank));
  return new AdapterTables(engine, [...adapted.values()], { mixes: adapters.size, rank });
}

/** What is being made, as {@link untilAborted}; disposed when it is there if nobody waits for it any more. */
async function untilHeld<Made extends { dispose(): Promise<void> }>(
  making: Promise<Made>,
  signal: AbortSignal,
): Promise<Made> {
  try {
    return await untilAborted(making, signal);
  } catch (error) {
    making.then((made) => made.dispose()).catch(() => {});
    throw error;
  }
}

async function createUnchanged(
  engine: Engine,
  tensors: Source["tensors"],
  graph: OnnxModel,
  weights: WeightSource,
): Promise<Session> {
  const created = await engine.createSession(graph, weights);
  try {
    // The engine opened the files by their names: they must be those whose headers said where the weights lie.
    await tensors.checkUnchanged("name");
  } catch (error) {
    await created.dispose();
    throw error;
  }
  return created;
}
