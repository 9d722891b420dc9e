/**
 * @file The autoencoder over pictures that are too large to be computed at once: pass by pass, each in bands of rows. The
 * result is that of the whole graph up to float32 rounding, because statistics and attention see all of the picture.
 */
import { EngineError } from "../errors.ts";
import type { OnnxModel } from "../graph/onnx-writer.ts";
import { EPSILON } from "../model/autoencoder.ts";
import type { AutoencoderPass } from "../model/autoencoder-passes.ts";
import type { HostTensor, Session, State } from "../runtime/engine.ts";
import { untilAborted } from "./abort.ts";
import { passGraph } from "./autoencoder-graphs.ts";
import { GroupStatistics } from "./group-statistics.ts";
import type { ModelSessions } from "./model-sessions.ts";
import { PicturePlanes } from "./picture-planes.ts";

/** How much of a picture is computed at once. It decides how sums round, so it is the same on every machine. */
export interface BandLimits {
  /** Bytes of a band's input or of its result, whichever is larger. */
  readonly band: number;
  /** Bytes of the attention's scores of a band. */
  readonly scores: number;
}

/**
 * The engine holds some six times a band, and twice the scores. Smaller bands spend more time on the way between threads,
 * and on the rows of context that neighbours share.
 */
const LIMITS: BandLimits = Object.freeze({ band: 2 ** 24, scores: 2 ** 26 });

export interface BandedOptions {
  readonly signal?: AbortSignal | undefined;
  /** Called with the part of the work that is done, up to 1. */
  readonly progress?: ((done: number) => void) | undefined;
  /** Default: 16 MiB and 64 MiB. */
  readonly limits?: BandLimits;
}

/** What one pass leaves to the next. */
interface Between {
  readonly x: PicturePlanes;
  /** What the end of the residual block adds to. */
  readonly kept?: PicturePlanes | undefined;
  readonly statistics?: GroupStatistics | undefined;
  /** Keys above values. [2 c, h, w] */
  readonly keys?: PicturePlanes | undefined;
  /** Buffers that are free. */
  readonly spare: readonly Float32Array[];
}

/** @param picture [channels, height, width] of the first pass. @returns the last pass's. */
export async function runInBands(
  sessions: ModelSessions,
  passes: readonly AutoencoderPass[],
  picture: PicturePlanes,
  options: BandedOptions = {},
): Promise<PicturePlanes> {
  const signal = sessions.signal(options.signal);
  let between: Between = { x: picture, spare: [] };
  let done = 0;
  const total = work(passes, picture);
  for (const pass of passes) {
    const run = new PassRun(sessions, pass, between, { signal, limits: options.limits ?? LIMITS });
    const cost = passWork(pass, between.x);
    between = await run.all((part) => options.progress?.((done + part * cost) / total));
    done += cost;
  }
  return between.x;
}

/** Multiplications, about. */
function passWork({ kind, inputs, outputs }: AutoencoderPass, { height, width }: PicturePlanes): number {
  const positions = height * width;
  const size = kind === "upsample" ? 4 : kind === "downsample" ? 0.25 : 1;
  return inputs * positions * (kind === "attend" ? 2 * positions : 9 * size * outputs);
}

function work(passes: readonly AutoencoderPass[], { height, width }: PicturePlanes): number {
  let size = new PicturePlanes([], height, width);
  let sum = 0;
  for (const pass of passes) {
    sum += passWork(pass, size);
    const scale = pass.kind === "upsample" ? 2 : pass.kind === "downsample" ? 0.5 : 1;
    size = new PicturePlanes([], size.height * scale, size.width * scale);
  }
  return sum;
}

class PassRun {
  readonly #sessions: ModelSessions;
  readonly #pass: AutoencoderPass;
  readonly #from: Between;
  readonly #signal: AbortSignal;
  readonly #limits: BandLimits;

  constructor(
    sessions: ModelSessions,
    pass: AutoencoderPass,
    from: Between,
    { signal, limits }: { readonly signal: AbortSignal; readonly limits: BandLimits },
  ) {
    this.#sessions = sessions;
    this.#pass = pass;
    this.#from = from;
    this.#signal = signal;
    this.#limits = limits;
  }

  async all(progress: (part: number) => void): Promise<Between> {
    const { kind, outputs } = this.#pass;
    const { x } = this.#from;
    const { groups } = this.#sessions.autoencoder.config;
    const to = this.#results();
    const statistics = kind === "keys" || kind === "end" ? undefined : new GroupStatistics(outputs, groups);
    const graph = (_config: unknown, plan: Parameters<typeof passGraph>[1]): OnnxModel =>
      passGraph(this.#pass, plan);
    const session = await this.#sessions.autoencoderPart(graph, this.#signal);
    const held: Disposed[] = [session];
    try {
      const attention = kind === "attend" ? await this.#attention(held) : undefined;
      const [rows, scale] = [this.#bandRows(), to.y.height / x.height];
      for (let start = 0; start < x.height; start += rows) {
        const end = Math.min(x.height, start + rows);
        const band = await this.#band(session, start, end, attention);
        x.remember(end - 1);
        to.y.write(start * scale, floats(band, "y"));
        to.shortcut?.write(start, floats(band, "shortcut"));
        const count = (end - start) * scale * to.y.width;
        statistics?.add(count, floats(band, "means"), floats(band, "squares"));
        progress(end / x.height);
      }
    } finally {
      x.forget();
      const released = Promise.all(held.map((one) => one.dispose()));
      // The engine may be in the middle of a band, and cannot be stopped.
      if (this.#signal.aborted) released.catch(() => {});
      else await released;
    }
    return this.#next(to, statistics);
  }

  /** Where results go: over what no later band reads, as far as there is. */
  #results(): { readonly y: PicturePlanes; readonly shortcut?: PicturePlanes } {
    const { kind, inputs, outputs } = this.#pass;
    const { x, kept, spare } = this.#from;
    const { height, width } = x;
    if (kind === "upsample") return { y: PicturePlanes.create(outputs, 2 * height, 2 * width) };
    if (kind === "downsample") return { y: PicturePlanes.create(outputs, height / 2, width / 2) };
    if (kind === "attend") return { y: new PicturePlanes(x.channels, height, width) };
    if (kind === "close" && kept !== undefined) return { y: kept };
    if (kind === "open" && inputs !== outputs) {
      const shortcut = PicturePlanes.create(outputs, height, width, [...x.channels, ...spare]);
      const others = [...x.channels, ...spare].filter((buffer) => !shortcut.channels.includes(buffer));
      return { shortcut, y: PicturePlanes.create(outputs, height, width, others) };
    }
    return { y: PicturePlanes.create(outputs, height, width, spare) };
  }

  #next(
    { y, shortcut }: { readonly y: PicturePlanes; readonly shortcut?: PicturePlanes },
    statistics: GroupStatistics | undefined,
  ): Between {
    const { x, spare } = this.#from;
    switch (this.#pass.kind) {
      case "open":
        return { x: y, kept: shortcut ?? x, statistics, spare: [] };
      case "keys":
        return { x, keys: y, statistics: this.#from.statistics, spare };
      case "close":
        return { x: y, statistics, spare: x.channels };
      default:
        return { x: y, statistics, spare: [] };
    }
  }

  #bandRows(): number {
    const { kind, inputs, outputs } = this.#pass;
    const { height, width } = this.#from.x;
    const size = kind === "upsample" ? 4 : 1;
    const rows = this.#limits.band / (4 * width * Math.max(inputs, size * outputs));
    const scored =
      kind === "attend" ? this.#limits.scores / (4 * width * width * height) : Number.POSITIVE_INFINITY;
    const whole = Math.max(1, Math.floor(Math.min(rows, scored)));
    return kind === "downsample" ? Math.max(2, whole - (whole % 2)) : whole;
  }

  async #band(
    session: Session,
    start: number,
    end: number,
    attention: Attention | undefined,
  ): Promise<Record<string, HostTensor>> {
    const { kind, inputs } = this.#pass;
    const { x, kept, statistics } = this.#from;
    const context = kind === "keys" || kind === "attend" || kind === "downsample" ? 0 : 1;
    const [from, to] = [start - context, end + context];
    const feeds: Record<string, HostTensor | State> = { ...attention };
    feeds.x = rowsOf(x, from, to);
    if (kind === "downsample") feeds.below = rowsOf(x, end, end + 1);
    if (kind === "close" && kept !== undefined) feeds.kept = rowsOf(kept, start, end);
    if (session.model.inputs.some(({ name }) => name === "mean")) {
      const given = statistics?.ofChannels(EPSILON);
      if (given === undefined) throw new EngineError("has no statistics", { where: this.#pass.name });
      feeds.mean = { dtype: "float32", shape: [inputs], data: given.mean };
      feeds.inverse = { dtype: "float32", shape: [inputs], data: given.inverse };
    }
    if (session.model.inputs.some(({ name }) => name === "inside")) {
      const data = Float32Array.from({ length: to - from }, (_, row) =>
        from + row >= 0 && from + row < x.height ? 1 : 0,
      );
      feeds.inside = { dtype: "float32", shape: [to - from], data };
    }
    return untilAborted(session.run(feeds), this.#signal);
  }

  /**
   * Keys and values where every band finds them without a copy.
   * @param held takes in what is to be disposed, also of an attempt that fails
   */
  async #attention(held: Disposed[]): Promise<Attention> {
    const { keys } = this.#from;
    if (keys === undefined) throw new EngineError("has no keys", { where: this.#pass.name });
    const channels = this.#pass.inputs;
    const positions = keys.height * keys.width;
    const stateOf = async (first: number): Promise<State> => {
      const state = await this.#sessions.autoencoderState([1, channels, positions], this.#signal);
      held.push(state);
      for (let channel = 0; channel < channels; channel++) {
        const data = keys.channels[first + channel] as Float32Array;
        await untilAborted(state.write(data, channel * positions), this.#signal);
      }
      return state;
    };
    return { key: await stateOf(0), value: await stateOf(channels) };
  }
}

/** What is given back to the engine. */
type Disposed = Pick<State, "dispose">;

interface Attention {
  readonly key: State;
  readonly value: State;
}

function rowsOf(planes: PicturePlanes, from: number, to: number): HostTensor {
  return {
    dtype: "float32",
    shape: [1, planes.channels.length, to - from, planes.width],
    data: planes.read(from, to),
  };
}

function floats(outputs: Readonly<Record<string, HostTensor>>, name: string): Float32Array {
  const data = outputs[name]?.data;
  if (data instanceof Float32Array) return data;
  throw new EngineError(`has no output "${name}"`, { where: "a band of the autoencoder" });
}
