/** @file Refuses what would not fit into memory before any of it is spent, and says what would fit. */
import type { ModelFolder } from "../checkpoint/model-folder.ts";
import { conversionFormats, formatOf } from "../checkpoint/quantized/conversion-formats.ts";
import { NEXTSTEP_LAYOUT } from "../checkpoint/quantized/nextstep-layout.ts";
import { InsufficientMemoryError } from "../errors.ts";
import { gigabytes } from "../formats/gigabytes.ts";
import { pixelsPerLatent } from "../model/autoencoder-config.ts";
import type { WeightPlan } from "../model/weight-format.ts";
import type { Grid } from "../sequence/segments.ts";
import {
  type DrawingMemory,
  type MemoryEstimate,
  MemoryEstimator,
  type MemoryPart,
  type ModelMemory,
} from "./memory-estimate.ts";

/** What a process may still take. */
export interface AvailableMemory {
  readonly bytes: number;
  /** What sets the bound, for people: `this machine`, `the container`. */
  readonly of: string;
}

const CLOSE_OTHERS = "close other programs";
const OVERRIDE = "if the estimate is wrong here, turn the check off (--no-memory-check)";

/** What the estimate has to know of an open folder; undefined without an autoencoder, which cannot draw. */
export function memoryOf({ config, tensors, parameters, autoencoder }: ModelFolder): ModelMemory | undefined {
  if (autoencoder === undefined) return undefined;
  const { quantized, weightPlan } = tensors;
  return {
    config,
    parameters,
    weightPlan,
    repacked: quantized !== undefined && quantized.layout !== NEXTSTEP_LAYOUT,
    autoencoder: {
      config: autoencoder.config,
      parameters: autoencoder.parameters,
      weightPlan: autoencoder.tensors.weightPlan,
    },
  };
}

/** Checks one model's weights and drawings. */
export class MemoryCheck {
  readonly #model: ModelMemory;
  readonly #estimator: MemoryEstimator;

  constructor(model: ModelMemory) {
    this.#model = model;
    this.#estimator = new MemoryEstimator(model);
  }

  /**
   * Of the transformer, without which nothing can be done.
   * @throws InsufficientMemoryError
   */
  refuseWeights({ bytes, of }: AvailableMemory): void {
    const { opening: needed, isBuffered } = this.#estimator;
    if (needed <= bytes) return;
    const moment = isBuffered ? " for a moment, while they are repacked" : "";
    const converted = this.#converted()?.opening;
    const fits = converted !== undefined && converted <= bytes;
    throw new InsufficientMemoryError(
      `the weights take ${gigabytes(needed)}${moment}, and ${gigabytes(bytes)} of ${of} are free`,
      {
        where: "memory",
        needed,
        available: bytes,
        remedy: `${fits ? `in 4 bits they take ${gigabytes(converted)}: \`nextstep convert\`` : CLOSE_OTHERS}; ${OVERRIDE}`,
      },
    );
  }

  /**
   * Of pictures or text, behind what the process has already.
   * @param loaded parts that are in memory.
   * @param underWay pictures among them that are being drawn already, and the bytes of their caches that are in memory.
   * @throws InsufficientMemoryError
   */
  refuseDrawing(
    drawing: DrawingMemory,
    { bytes, of }: AvailableMemory,
    loaded: ReadonlySet<MemoryPart>,
    underWay: { readonly pictures: number; readonly cacheBytes: number } = { pictures: 0, cacheBytes: 0 },
  ): void {
    const beyond = ({ parts, opening }: MemoryEstimate): number => {
      const names = Object.keys(parts) as MemoryPart[];
      const drawn = names.reduce(
        (sum, name) => sum + (loaded.has(name) ? 0 : parts[name]),
        -underWay.cacheBytes,
      );
      return loaded.has("transformer") ? drawn : Math.max(drawn, opening - parts.program);
    };
    if (beyond(this.#estimator.ceiling(drawing)) <= bytes) return;
    const more = (request: DrawingMemory, estimator = this.#estimator): number =>
      beyond(estimator.estimate(request));
    const needed = more(drawing);
    if (needed <= bytes) return;
    const fits = (request: Partial<DrawingMemory>): boolean => more({ ...drawing, ...request }) <= bytes;
    const remedies: string[] = [];
    if (underWay.pictures > 0) remedies.push("wait until others are drawn");
    else {
      const smaller = largestGrid(drawing.grid, (grid) => fits({ grid }));
      if (smaller !== undefined) remedies.push(`${this.#sizeText(smaller)} would fit`);
    }
    const fewer = mostPictures(drawing, fits) - underWay.pictures;
    if (fewer > 0) remedies.push(`${fewer} at once would fit`);
    const converted = loaded.has("transformer") ? undefined : this.#converted();
    if (converted !== undefined && more(drawing, converted) <= bytes) {
      remedies.push(`in 4 bits it would fit: \`nextstep convert\``);
    }
    const { pictures, grid, writtenTokens } = drawing;
    const pictured = `${pictures === 1 ? "a picture" : `${pictures} pictures`} of ${this.#sizeText(grid)}`;
    const beside = underWay.pictures > 0 ? ` (${underWay.pictures} of them under way)` : "";
    const what = pictures === 0 ? `text of ${writtenTokens} tokens` : pictured + beside;
    throw new InsufficientMemoryError(
      `${what} take${pictures > 1 ? "" : "s"} ${gigabytes(needed)}, and ${gigabytes(bytes)} of ${of} are free`,
      {
        where: "memory",
        needed,
        available: bytes,
        remedy: [...(remedies.length === 0 ? [CLOSE_OTHERS] : remedies), OVERRIDE].join("; "),
      },
    );
  }

  /** The model as a conversion to 4 bits leaves it, unless it is so already. */
  #converted(): MemoryEstimator | undefined {
    const { parameters, weightPlan: own, repacked } = this.#model;
    const layer = own("layers.0.mlp.up_proj.weight");
    if (typeof layer === "object" && layer.bits === 4 && !repacked) return undefined;
    const formats = conversionFormats(4, parameters);
    const weightPlan: WeightPlan = (name) => formatOf(name, formats) ?? own(name);
    return new MemoryEstimator({ ...this.#model, weightPlan, repacked: false });
  }

  #sizeText([rows, columns]: Grid): string {
    const { config, autoencoder } = this.#model;
    const side = config.latentPatchSize * pixelsPerLatent(autoencoder.config);
    return `${columns * side} x ${rows * side}`;
  }
}

/** The largest grid of about the same shape that fits: memory grows with the grid. */
function largestGrid([rows, columns]: Grid, fits: (grid: Grid) => boolean): Grid | undefined {
  const short = Math.min(rows, columns);
  const scaled = (side: number): Grid => [
    Math.max(1, Math.floor((rows * side) / short)),
    Math.max(1, Math.floor((columns * side) / short)),
  ];
  const side = largest(short - 1, (candidate) => fits(scaled(candidate)));
  return side === 0 ? undefined : scaled(side);
}

/** How many of the pictures fit, with as many branches each; 0 for none. */
function mostPictures(
  { pictures, rows }: DrawingMemory,
  fits: (request: Pick<DrawingMemory, "pictures" | "rows">) => boolean,
): number {
  return largest(pictures - 1, (count) =>
    fits({ pictures: count, rows: Math.ceil((rows * count) / pictures) }),
  );
}

/** The largest number from 1 to `most` that fits, if smaller ones do; 0 for none. */
function largest(most: number, fits: (candidate: number) => boolean): number {
  let [low, high] = [0, most];
  while (low < high) {
    const middle = Math.ceil((low + high) / 2);
    if (fits(middle)) low = middle;
    else high = middle - 1;
  }
  return low;
}
