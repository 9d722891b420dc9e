/** @file All that one picture in the making is made of. */
import type { Canvas } from "./canvas.ts";
import { branchWeights, type Guidance, guidanceAt, guidedTokens } from "./guidance.ts";
import { noiseDraws, type SamplerName, type SolverOptions, type SolverRow, solverTable } from "./solvers.ts";
import { checkAnnealing, type StepAnnealing, stepsAt } from "./step-schedule.ts";
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
  /** Of the first token, and of all without `annealing`. */
  readonly solver: SolverOptions;
  readonly annealing?: StepAnnealing | undefined;
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
  /** By number of steps. */
  readonly #tables = new Map<number, readonly SolverRow[]>();

  /** @throws ConfigError for settings of the solver out of range. */
  constructor(request: SlotRequest) {
    this.request = request;
    const { solver, annealing } = request;
    checkAnnealing(solver.steps, annealing);
    for (const steps of new Set([solver.steps, annealing?.lastSteps ?? solver.steps])) this.#table(steps);
  }

  /** The same picture under another signal. */
  withSignal(signal: AbortSignal): Slot {
    return new Slot({ ...this.request, signal });
  }

  get canvas(): Canvas {
    return this.request.canvas;
  }

  /** How many branches are read from the next cell on: one when no cell to come is guided. */
  get branches(): 1 | 2 | 3 {
    const { length } = this.request.rows;
    const { next, count } = this.canvas;
    if (next >= guidedTokens(this.request.guidance, count)) return 1;
    return length >= 3 ? 3 : length === 2 ? 2 : 1;
  }

  /** Solver steps of the next cell's token. */
  table(): readonly SolverRow[] {
    const { canvas, solver, annealing } = this.request;
    return this.#table(stepsAt(solver.steps, annealing, canvas.next, canvas.count));
  }

  /** What guidance multiplies each branch by at the next cell. */
  weights(): readonly number[] {
    const { guidance, sampler, canvas } = this.request;
    return branchWeights(this.branches, guidanceAt(guidance, sampler, canvas.next, canvas.count));
  }

  /** Noise of the next cell, [draws, width]: the token's start, then one a step as far as the sampler adds noise. */
  noise(): Float32Array {
    const { noise, canvas, sampler } = this.request;
    const target = new Float32Array(noiseDraws(sampler, this.table().length) * canvas.width);
    noise(canvas.next, target, canvas.width);
    return target;
  }

  #table(steps: number): readonly SolverRow[] {
    const { sampler, solver } = this.request;
    const table = this.#tables.get(steps) ?? solverTable(sampler, { ...solver, steps });
    this.#tables.set(steps, table);
    return table;
  }
}
