/** @file All that one picture in the making is made of. */
import type { Canvas } from "./canvas.ts";
import { branchWeights, type Guidance, guidanceAt } from "./guidance.ts";
import { noiseDraws, type SamplerName, type SolverOptions, type SolverRow, solverTable } from "./solvers.ts";
import type { TokenRow } from "./token-feeds.ts";
import type { TokenNoise } from "./token-noise.ts";

export interface SlotRequest {
  /**
   * The prompt of each branch: condition, image-only (if three), none (if two or more). Prompts that are one object are
   * read once where they join a loop together.
   */
  readonly rows: readonly TokenRow[];
  /** Drawn on by the loop; cells that are forced before the slot joins are read instead. */
  readonly canvas: Canvas;
  readonly sampler: SamplerName;
  readonly solver: SolverOptions;
  readonly guidance: Guidance;
  readonly noise: TokenNoise;
  /** Layer norm over each token before it is used, a setting of the first release. */
  readonly useNorm: boolean;
  /** What errors call the picture, e.g. `picture 2`. */
  readonly name: string;
  readonly signal?: AbortSignal | undefined;
}

/** One picture's place in a token loop. */
export class Slot {
  readonly request: SlotRequest;
  /** Solver steps of a token. */
  readonly table: readonly SolverRow[];
  /** Noise vectors of a token: its start, then one a step as far as the sampler adds noise. */
  readonly draws: number;

  /** @throws ConfigError for settings of the solver out of range. */
  constructor(request: SlotRequest) {
    this.request = request;
    this.table = solverTable(request.sampler, request.solver);
    this.draws = noiseDraws(request.sampler, this.table.length);
  }

  /** The same picture under another signal. */
  withSignal(signal: AbortSignal): Slot {
    return new Slot({ ...this.request, signal });
  }

  get canvas(): Canvas {
    return this.request.canvas;
  }

  get branches(): 1 | 2 | 3 {
    const { length } = this.request.rows;
    return length >= 3 ? 3 : length === 2 ? 2 : 1;
  }

  /** What guidance multiplies each branch by at the next cell. */
  weights(): readonly number[] {
    const { guidance, sampler, canvas } = this.request;
    return branchWeights(this.branches, guidanceAt(guidance, sampler, canvas.next, canvas.count));
  }

  /** Noise of the next cell, [draws, width]. */
  noise(): Float32Array {
    const { noise, canvas } = this.request;
    const target = new Float32Array(this.draws * canvas.width);
    noise(canvas.next, target, canvas.width);
    return target;
  }
}
