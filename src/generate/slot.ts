/** @file All that one picture in the making is made of. */
import type { AdapterMix } from "./adapter-mix.ts";
import type { Canvas } from "./canvas.ts";
import { branchWeights, type Guidance, guidanceAt, guidedTokens } from "./guidance.ts";
import type { SolverWatch } from "./solver-path.ts";
import {
  fewestSteps,
  noiseDraws,
  type SamplerName,
  type SolverOptions,
  type SolverRow,
  solverTable,
} from "./solvers.ts";
import { checkAnnealing, type StepAnnealing, stepsAt } from "./step-schedule.ts";
import type { TokenRow } from "./token-feeds.ts";
import type { TokenNoise } from "./token-noise.ts";

export interface SlotRequest {
  /**
   * The prompt of each branch: condition, image-only (if three), none (if two or more). Prompts that are one object are
   * read once where they join a loop together. All have the picture's adapters.
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
  /** Told how each token that is drawn was solved. Default: nothing is kept of that. */
  readonly watch?: SolverWatch | undefined;
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
    checkAnnealing(solver.steps, annealing, fewestSteps(request.sampler));
    for (const steps of new Set([solver.steps, annealing?.lastSteps ?? solver.steps])) this.#table(steps);
  }

  /** The same picture under another signal. */
  withSignal(signal: AbortSignal): Slot {
    return new Slot({ ...this.request, signal });
  }

  get canvas(): Canvas {
    return this.request.canvas;
  }

  /** What draws the picture beside the model's own weights. */
  get adapters(): AdapterMix | undefined {
    return this.request.rows[0]?.adapters;
  }

  /** How many branches are read from the next cell on: one when no cell to come is guided. */
  get branches(): 1 | 2 | 3 {
    return this.#branchesAt(this.canvas.next);
  }

  /** Solver steps of the token that is drawn at a turn. */
  table(turn: number): readonly SolverRow[] {
    const { canvas, solver, annealing } = this.request;
    return this.#table(stepsAt(solver.steps, annealing, turn, canvas.count));
  }

  /** What guidance multiplies each branch by at a turn. */
  weights(turn: number): readonly number[] {
    const { guidance, sampler, canvas } = this.request;
    return branchWeights(this.#branchesAt(turn), guidanceAt(guidance, sampler, turn, canvas.count));
  }

  /** Noise of a turn's cell, [draws, width]: the token's start, then one a step as far as the sampler adds noise. */
  noise(turn: number): Float32Array {
    const { noise, canvas, sampler } = this.request;
    const target = new Float32Array(noiseDraws(sampler, this.table(turn).length) * canvas.width);
    noise(canvas.order.cellAt(turn), target, canvas.width);
    return target;
  }

  #branchesAt(turn: number): 1 | 2 | 3 {
    const { rows, guidance } = this.request;
    if (turn >= guidedTokens(guidance, this.canvas.count)) return 1;
    return rows.length >= 3 ? 3 : rows.length === 2 ? 2 : 1;
  }

  #table(steps: number): readonly SolverRow[] {
    const { sampler, solver } = this.request;
    const table = this.#tables.get(steps) ?? solverTable(sampler, { ...solver, steps });
    this.#tables.set(steps, table);
    return table;
  }
}
