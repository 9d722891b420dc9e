/** @file Draws pictures to learn from, by the loop that draws all pictures, and keeps what the replay of solver steps needs. */
import type { AdapterMix } from "../../generate/adapter-mix.ts";
import { Canvas } from "../../generate/canvas.ts";
import { DrawingOrder } from "../../generate/drawing-order.ts";
import { pixelsPerToken } from "../../generate/image-coder.ts";
import type { ModelSessions } from "../../generate/model-sessions.ts";
import { SharedRows } from "../../generate/prompt-rows.ts";
import { SharedLoop } from "../../generate/shared-loop.ts";
import { Slot } from "../../generate/slot.ts";
import type { SolverPath } from "../../generate/solver-path.ts";
import { type SolverOptions, type SolverRow, solverTable } from "../../generate/solvers.ts";
import { seededNoise } from "../../generate/token-noise.ts";
import type { ImageSize } from "../../image/pixels.ts";
import { tokenWidth } from "../../model/config.ts";
import { buildPromptRows } from "../../sequence/prompt.ts";
import type { Grid } from "../../sequence/segments.ts";
import type { TextTokenizer } from "../../sequence/tokenizer.ts";

/** The sampler whose steps have the log-probability that is learnt from. */
export const ROLLOUT_SAMPLER = "cps";

/** A picture that is to be drawn. */
export interface WantedPicture {
  readonly prompt: string;
  readonly seed: number;
}

export interface RolloutSettings {
  readonly tokenizer: TextTokenizer;
  readonly size: ImageSize;
  readonly solver: SolverOptions;
  /** Of the drawing order. */
  readonly rowLag: number | null;
  readonly useNorm: boolean;
  /** How prompts are written. */
  readonly code: "P-A" | "P-B";
  /** Pictures that are drawn at once. */
  readonly together: number;
}

/** A drawn picture. All of its tokens are in raster order. */
export interface Rollout {
  readonly grid: Grid;
  /** Ids of the prompt, the begin of the picture included. */
  readonly ids: readonly number[];
  /** [cells, 64] */
  readonly tokens: Float32Array;
  readonly path: RolloutPath;
}

/** The solver steps of all tokens that are learnt from. */
export interface RolloutPath {
  /** Where each token stood before each of them, and behind it. [cells, steps, 64] */
  readonly states: Float32Array;
  readonly next: Float32Array;
  /** log p(x' | x) as the replay has it. [cells, steps] */
  readonly logs: Float32Array;
}

/**
 * Draws pictures without guidance, each by its own noise, so that what else is drawn changes no bit of it.
 * @param steps of the solver, from 0, to be kept; none for pictures that are not replayed
 * @param adapters that draw along
 * @throws AbortedError; EngineError for numbers that are not finite
 */
export async function drawRollouts(
  sessions: ModelSessions,
  wanted: readonly WantedPicture[],
  settings: RolloutSettings,
  {
    steps,
    adapters,
    signal,
  }: {
    readonly steps: readonly number[];
    readonly adapters?: AdapterMix | undefined;
    readonly signal?: AbortSignal | undefined;
  },
): Promise<Rollout[]> {
  const { tokenizer, size, solver, rowLag, useNorm, code, together } = settings;
  const width = tokenWidth(sessions.folder.config);
  const table = solverTable(ROLLOUT_SAMPLER, solver);
  const kept = steps.map((step) => ({ step, row: table[step] as SolverRow }));
  const shared = new SharedRows([]);
  const pictures = wanted.map(({ prompt: caption, seed }, index) => {
    const prompt = buildPromptRows(tokenizer, {
      captions: [caption],
      images: null,
      imagesPerCaption: 1,
      positive: null,
      negative: null,
      size,
      cfg: 1,
      cfgImg: 1,
      code,
      pixelsPerToken: pixelsPerToken(sessions),
    });
    const canvas = new Canvas(prompt.grid, width, new DrawingOrder(prompt.grid, rowLag));
    const path = new KeptPath(canvas.count, width, kept);
    const slot = new Slot({
      rows: shared.of(prompt, [], adapters),
      canvas,
      sampler: ROLLOUT_SAMPLER,
      solver,
      guidance: { cfg: 1, cfgImg: 1, schedule: "constant" },
      noise: seededNoise(seed),
      useNorm,
      name: `rollout ${index + 1}`,
      signal,
      // What is watched is fetched from the engine.
      watch: steps.length === 0 ? undefined : (whole) => path.note(whole),
    });
    return { slot, path };
  });
  const loop = new SharedLoop(sessions, { maxSlots: together });
  for await (const _events of loop.draw(pictures.map(({ slot }) => slot)));
  return pictures.map(({ slot: { canvas, request }, path }) => ({
    grid: canvas.grid,
    ids: request.rows[0]?.ids ?? [],
    tokens: canvas.cells(),
    path,
  }));
}

interface KeptStep {
  readonly step: number;
  readonly row: SolverRow;
}

/** Takes some steps of the way of each token, and lets go of the others. */
class KeptPath implements RolloutPath {
  readonly states: Float32Array;
  readonly next: Float32Array;
  readonly logs: Float32Array;
  readonly #width: number;
  readonly #kept: readonly KeptStep[];

  constructor(cells: number, width: number, kept: readonly KeptStep[]) {
    this.states = new Float32Array(cells * kept.length * width);
    this.next = new Float32Array(cells * kept.length * width);
    this.logs = new Float32Array(cells * kept.length);
    this.#width = width;
    this.#kept = kept;
  }

  note({ cell, states, velocities }: SolverPath): void {
    const width = this.#width;
    this.#kept.forEach(({ step, row }, index) => {
      const place = cell * this.#kept.length + index;
      const state = states.subarray(step * width, (step + 1) * width);
      const next = states.subarray((step + 1) * width, (step + 2) * width);
      // Without guidance, there is one branch.
      const velocity = velocities.subarray(step * width, (step + 1) * width);
      this.states.set(state, place * width);
      this.next.set(next, place * width);
      this.logs[place] = logProbability(row, state, next, velocity);
    });
  }
}

/** Of the way from x to x' in a step: -mean (x' - (a x + b v))², with the numbers that graphs are given. */
function logProbability(
  row: SolverRow,
  state: Float32Array,
  next: Float32Array,
  velocity: Float32Array,
): number {
  const [a, b] = [Math.fround(row.a), Math.fround(row.b)];
  let squares = 0;
  for (let i = 0; i < next.length; i++) {
    squares += ((next[i] as number) - a * (state[i] as number) - b * (velocity[i] as number)) ** 2;
  }
  return -squares / next.length;
}
