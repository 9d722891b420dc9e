/**
 * @file How much memory drawing takes, from configurations and a request alone: resident bytes of the process at most,
 * pages of mapped files among them. The constants are measured (docs/measurements.md).
 */
import { activationBytes } from "../graph/activation-memory.ts";
import type { Value } from "../graph/value.ts";
import { type AutoencoderConfig, pixelsPerLatent } from "../model/autoencoder-config.ts";
import {
  type AutoencoderDirection,
  autoencoderWorkingBytes,
  largestResultBytes,
  type PictureSize,
} from "../model/autoencoder-memory.ts";
import type { NextStepConfig } from "../model/config.ts";
import { ParameterScope } from "../model/parameter-scope.ts";
import { SPILL_FROM_BYTES } from "../runtime/engine.ts";
import type { Grid } from "../sequence/segments.ts";
import { backboneValues } from "./backbone-graph.ts";
import { CAPACITY_STEP, CachedRows, capacityFor, PROMPT_CHUNK } from "./cached-rows.ts";
import {
  boundBytes,
  type ListedWeights,
  partParameters,
  storedBytes,
  type WeightPart,
} from "./part-weights.ts";

/** What a model is made of, as far as memory goes. */
export interface ModelMemory extends ListedWeights {
  readonly config: NextStepConfig;
  /** Whether its matrices are repacked while they are bound: then all of a small session passes through buffers. */
  readonly repacked: boolean;
  readonly autoencoder: ListedWeights & { readonly config: AutoencoderConfig };
}

/** Pictures that are drawn together; of text alone none, without a grid. */
export interface DrawingMemory {
  /** Tokens of each picture. */
  readonly grid: Grid;
  readonly pictures: number;
  /** Of all pictures: a branch of guidance each. */
  readonly rows: number;
  /** Longest prompt, in tokens. */
  readonly promptTokens: number;
  /** Tokens of text that are written behind the prompt at most, for which the LM head is there too. Default: none. */
  readonly writtenTokens?: number;
  /** Input images, in pixels. Default: none. */
  readonly images?: readonly PictureSize[];
}

/** Parts in the order in which memory is taken; in bytes. */
export const MEMORY_PARTS = [
  "program",
  "transformer",
  "lm head",
  "image head",
  "encoder",
  "decoder",
  "caches",
  "outgrown caches",
  "activations",
  "encoding",
  "decoding",
  "pictures",
] as const;
export type MemoryPart = (typeof MEMORY_PARTS)[number];

export interface MemoryEstimate {
  readonly parts: Readonly<Record<MemoryPart, number>>;
  /** Most at once while the weights are bound, and while pictures are drawn and decoded. */
  readonly opening: number;
  readonly drawing: number;
  /** The larger of the two. */
  readonly peak: number;
}

/** Symbols of the transformer's graph. */
type BackboneSizes = Readonly<Record<"rows" | "tokens" | "past" | "positions" | "picked", number>>;

const MIB = 2 ** 20;
/** What the engine's arena takes for values that take 1, where results fill its regions. */
const AUTOENCODER_FACTOR = 1.3;
/** Regions are powers of two, and where a result fills less of its own than this, what is left of it is hardly used. */
const FILLED_REGION = 0.85;
/** What that adds to the factor, by what lacks. */
const UNFILLED_FACTOR = 1.6;
/** Input images, whatever their size: reading and resampling them, and another session. */
const INPUT_IMAGE_BYTES = 16 * MIB;
/** Node, this program and the engine's libraries, with all that they hold before a weight is bound. */
const PROGRAM_BYTES = 180 * MIB;
/** Of the tokenizer, for each id. */
const BYTES_PER_ID = 400;
/** The engine lays convolutions out anew and gives the system back only part of what that took. */
const CONVOLUTION_FACTOR = 1.4;
/** What the engine's arena holds for values that take 1 at most: pieces of other sizes do not fill its gaps. */
const ARENA_FACTOR = 1.38;
/** Layers are alike: what one needs beyond its inputs and outputs, each needs after the other. */
const TRACED_LAYERS = 2;
/** Of a session whose weights come from buffers: those, the engine's own and the packed form. Larger ones are mapped. */
const REPACKING_FACTOR = 3;
/** Of caches that others took the place of, when the collector comes at the latest; measured. */
const MOST_OUTGROWN_BYTES = 32 * MIB;
/** Bytes of a picture's pixel that are kept until it is saved: three floats, three bytes, and the file's. */
const BYTES_PER_PIXEL = 18;

/** Estimates drawings of one model. */
export class MemoryEstimator {
  readonly #model: ModelMemory;
  #backbone: readonly Value[] | undefined;

  constructor(model: ModelMemory) {
    this.#model = model;
  }

  /** Bytes that the process takes beside its program before the first token: the transformer's weights, as they come. */
  get opening(): number {
    return (this.isBuffered ? REPACKING_FACTOR : 1) * this.#weights("transformer");
  }

  /** Whether they pass through buffers, which opening takes and drawing does not. */
  get isBuffered(): boolean {
    const { config, parameters, weightPlan, repacked } = this.#model;
    const transformer = partParameters("transformer", parameters, config);
    return repacked && storedBytes(transformer, weightPlan) < SPILL_FROM_BYTES;
  }

  estimate(drawing: DrawingMemory): MemoryEstimate {
    return this.#estimate(drawing, (sizes) => activationBytes(this.#traced(), sizesOf(sizes)));
  }

  /** More than {@link estimate} gives, for which nothing is traced: what fits by this need not be looked at further. */
  ceiling(drawing: DrawingMemory): MemoryEstimate {
    return this.#estimate(drawing, (sizes) => this.#activationCeiling(sizes));
  }

  #estimate(
    {
      grid: [rows, columns],
      pictures,
      rows: read,
      promptTokens,
      writtenTokens = 0,
      images = [],
    }: DrawingMemory,
    activations: (sizes: BackboneSizes) => number,
  ): MemoryEstimate {
    const { config, autoencoder } = this.#model;
    const pixelSide = config.latentPatchSize * pixelsPerLatent(autoencoder.config);
    const behind = promptTokens + writtenTokens;
    const [capacity, promptCapacity] = [capacityFor(behind + rows * columns), capacityFor(behind)];
    const running = (tokens: number, positions: number): number =>
      activations({ rows: read, tokens, past: positions, positions, picked: read }) +
      this.#newBytes(read * tokens);
    const draws = pictures > 0;
    const working = (direction: AutoencoderDirection, size: PictureSize): number =>
      arenaFactor(largestResultBytes(autoencoder.config, direction, size)) *
      autoencoderWorkingBytes(autoencoder.config, direction, size);
    const parts: Record<MemoryPart, number> = {
      program: PROGRAM_BYTES + config.vocabSize * BYTES_PER_ID,
      transformer: this.#weights("transformer"),
      "lm head": writtenTokens > 0 ? this.#weights("lm head") : 0,
      "image head": draws ? this.#weights("image head") : 0,
      encoder: images.length > 0 ? CONVOLUTION_FACTOR * this.#weights("encoder") : 0,
      decoder: draws ? CONVOLUTION_FACTOR * this.#weights("decoder") : 0,
      caches: CachedRows.bytes(config, read, capacity),
      // Those that the last ones were copied from: the engine lets go of them when it collects what is not used.
      "outgrown caches":
        capacity > promptCapacity
          ? Math.min(MOST_OUTGROWN_BYTES, CachedRows.bytes(config, read, capacity - CAPACITY_STEP))
          : 0,
      activations:
        ARENA_FACTOR *
        Math.max(running(Math.min(PROMPT_CHUNK, promptTokens), promptCapacity), running(1, capacity)),
      encoding: Math.max(0, ...images.map((size) => INPUT_IMAGE_BYTES + working("encode", size))),
      decoding: draws ? working("decode", [rows * pixelSide, columns * pixelSide]) : 0,
      pictures: pictures * rows * columns * pixelSide ** 2 * BYTES_PER_PIXEL,
    };
    const drawing = MEMORY_PARTS.reduce((sum, part) => sum + parts[part], 0);
    const opening = parts.program + this.opening;
    return { parts, opening, drawing, peak: Math.max(opening, drawing) };
  }

  /** Each of a layer's values counted as if none made room for another. */
  #activationCeiling({ rows, tokens, positions }: BackboneSizes): number {
    const { hiddenSize, intermediateSize, heads, kvHeads, headDim } = this.#model.config;
    const numbers =
      tokens * (16 * (hiddenSize + heads * headDim) + 8 * intermediateSize) +
      (positions + tokens) * (6 * heads * tokens + 8 * kvHeads * headDim);
    return rows * numbers * Float32Array.BYTES_PER_ELEMENT;
  }

  #weights(part: WeightPart): number {
    const { config, autoencoder } = this.#model;
    const { parameters, weightPlan } = part === "encoder" || part === "decoder" ? autoencoder : this.#model;
    return boundBytes(partParameters(part, parameters, config), weightPlan);
  }

  /** The transformer with few layers, traced when a drawing is first estimated. */
  #traced(): readonly Value[] {
    const { config } = this.#model;
    const few = { ...config, layers: Math.min(config.layers, TRACED_LAYERS) };
    this.#backbone ??= Object.values(backboneValues(new ParameterScope(), few));
    return this.#backbone;
  }

  /** New keys and values of the layers that are not traced, which a run hands out together in the end. */
  #newBytes(tokens: number): number {
    const { config } = this.#model;
    return (
      (tokens * Math.max(0, config.layers - TRACED_LAYERS) * CachedRows.bytes(config, 1, CAPACITY_STEP)) /
      CAPACITY_STEP /
      config.layers
    );
  }
}

/** What the arena takes for values that take 1, the largest of which have so many bytes. */
function arenaFactor(result: number): number {
  const filled = result / 2 ** Math.ceil(Math.log2(result));
  return AUTOENCODER_FACTOR + UNFILLED_FACTOR * Math.max(0, FILLED_REGION - filled);
}

function sizesOf(sizes: BackboneSizes): ReadonlyMap<string, number> {
  return new Map(Object.entries(sizes));
}
