/** @file The image head's work for several tokens: one chain of runs, each token with a solver of its own. */

import type { NextStepConfig } from "../model/config.ts";
import type { ChainLink, Engine, Feeds, HostTensor, Session } from "../runtime/engine.ts";
import { joinedFloats } from "../tensor/joined.ts";
import type { AdapterTables } from "./adapter-tables.ts";
import { ADAPTER_OF_PICTURE, BRANCHES } from "./head-graphs.ts";
import type { Slot } from "./slot.ts";
import { PATH_OUTPUTS, solverPath } from "./solver-path.ts";
import { type SolverRun, solverRuns } from "./solver-runs.ts";
import type { SolverRow } from "./solvers.ts";

/** A cell of a picture that is drawn. */
export interface Sampling {
  readonly slot: Slot;
  /** The cell's. */
  readonly turn: number;
  /** What the image head is told about each branch. [branches, D] */
  readonly conditions: Float32Array;
}

/** What draws tokens: a session of imageHeadGraph, the model's sizes, and its engine. */
export interface ImageHead {
  readonly session: Session;
  readonly config: Pick<NextStepConfig, "hiddenSize" | "headWidth">;
  readonly engine: Pick<Engine, "runChain">;
  /** Of the adapters that the session was made for; undefined where it was made for none. */
  readonly adapters?: AdapterTables | undefined;
}

/**
 * Draws a token each. Those with more steps stand in front, so that those that are done leave the runs that follow.
 * @returns tokens, each [64], in the order of `samplings`
 */
export async function sampleTokens(
  samplings: readonly Sampling[],
  { session, config, engine, adapters }: ImageHead,
): Promise<Float32Array[]> {
  const stepsOf = ({ slot, turn }: Sampling): number => slot.table(turn).length;
  const sorted = [...samplings].sort((a, b) => stepsOf(b) - stepsOf(a));
  const branches = sorted.map(({ conditions }) => conditions.length / config.hiddenSize);
  const width = sorted[0]?.slot.canvas.width ?? 0;
  const noise = sorted.map(({ slot, turn }) => slot.noise(turn));
  const weights = sorted.map(({ slot, turn }) => slot.weights(turn));
  const steps = sorted.map(stepsOf);
  const runs = solverRuns(
    steps.map((count, picture) => ({ steps: count, branches: branches[picture] as number })),
  );
  const isWatched = sorted.some(({ slot }) => slot.request.watch !== undefined);
  const links = runs.map((run, index): ChainLink => {
    const present = branches.slice(0, run.pictures);
    const feeds = {
      ...tableFeeds(
        sorted.slice(0, run.pictures).map(({ slot, turn }) => slot.table(turn)),
        run,
      ),
      ...branchFeeds(present, weights),
      noise: stepNoise(noise, run, width),
    };
    // Pictures whose last run this is.
    const fetch = [...(steps.includes(run.to) ? ["next"] : []), ...(isWatched ? PATH_OUTPUTS : [])];
    if (index === 0)
      return { session, feeds: { ...feeds, ...firstFeeds(sorted, config, noise, width) }, fetch };
    return {
      session,
      feeds: { ...feeds, hidden: float32([0, config.hiddenSize], new Float32Array(0)) },
      takes: {
        kept: { link: 0, output: "condition", rows: sum(present) },
        state: { link: index - 1, output: "next", rows: run.pictures },
      },
      fetch,
    };
  });
  const results = await (adapters?.use(
    sorted.map(({ slot }) => slot.adapters),
    (tables, places) => engine.runChain(links.map((link) => adapted(link, tables, places))),
  ) ?? engine.runChain(links));
  if (isWatched) {
    const watched = runs.map((run, index) => ({ ...run, outputs: results[index] ?? {} }));
    sorted.forEach(({ slot, turn }, picture) => {
      slot.request.watch?.(
        solverPath(watched, picture, branches, {
          cell: slot.canvas.order.cellAt(turn),
          start: (noise[picture] as Float32Array).subarray(0, width),
          steps: steps[picture] as number,
        }),
      );
    });
  }
  const tokens = new Map(
    sorted.map((sampling, picture) => {
      const own = runs.findIndex(({ to }) => to === steps[picture]);
      const last = results[own]?.next?.data as Float32Array;
      return [sampling, last.slice(picture * width, (picture + 1) * width)];
    }),
  );
  return samplings.map((sampling) => tokens.get(sampling) as Float32Array);
}

/** A link whose pictures, the first of all, have adapters. places int64 [pictures of all] */
function adapted(link: ChainLink, tables: Feeds, places: HostTensor): ChainLink {
  const pictures = (link.feeds.noise as HostTensor).shape[1] as number;
  const own = { ...places, shape: [pictures], data: places.data.slice(0, pictures) };
  return { ...link, feeds: { ...link.feeds, ...tables, [ADAPTER_OF_PICTURE]: own } };
}

/** What only the first run is fed: the states that predict the tokens, and where the tokens start. */
function firstFeeds(
  samplings: readonly Sampling[],
  { hiddenSize, headWidth }: ImageHead["config"],
  noise: readonly Float32Array[],
  width: number,
): Record<string, HostTensor> {
  const hidden = joinedFloats(samplings.map(({ conditions }) => conditions));
  const start = joinedFloats(noise.map((own) => own.subarray(0, width)));
  return {
    hidden: float32([hidden.length / hiddenSize, hiddenSize], hidden),
    kept: float32([0, headWidth], new Float32Array(0)),
    state: float32([samplings.length, width], start),
  };
}

/** `times`, `a`, `b`, `c` [steps, pictures] of one run. */
function tableFeeds(
  tables: readonly (readonly SolverRow[])[],
  { from, to }: SolverRun,
): Record<string, HostTensor> {
  const rows = Array.from({ length: to - from }, (_, step) =>
    tables.map((table) => table[from + step] as SolverRow),
  ).flat();
  const column = (pick: keyof SolverRow): HostTensor =>
    float32(
      [to - from, tables.length],
      Float32Array.from(rows, (row) => row[pick]),
    );
  return { times: column("t"), a: column("a"), b: column("b"), c: column("c") };
}

/** Which rows are a picture's branches: they stand side by side, the pictures one behind the other. */
function branchFeeds(
  branches: readonly number[],
  weights: readonly (readonly number[])[],
): Record<string, HostTensor> {
  const pictures = branches.length;
  const starts = branches.map((_, picture) => sum(branches.slice(0, picture)));
  const rowOf = new BigInt64Array(BRANCHES * pictures);
  const share = new Float32Array(BRANCHES * pictures);
  for (let branch = 0; branch < BRANCHES; branch++) {
    branches.forEach((count, picture) => {
      const place = branch * pictures + picture;
      rowOf[place] = BigInt((starts[picture] as number) + (branch < count ? branch : 0));
      share[place] = weights[picture]?.[branch] ?? 0;
    });
  }
  const pictureOf = branches.flatMap((count, picture) => new Array<number>(count).fill(picture));
  return {
    picture_of_row: {
      dtype: "int64",
      shape: [pictureOf.length],
      data: BigInt64Array.from(pictureOf, BigInt),
    },
    branch_rows: { dtype: "int64", shape: [BRANCHES, pictures], data: rowOf },
    weights: float32([BRANCHES, pictures], share),
  };
}

/** Noise of one run's steps, [steps, pictures, width]: draw 0 is the start, draw 1 + k belongs to step k. */
function stepNoise(
  noise: readonly Float32Array[],
  { from, to, pictures }: SolverRun,
  width: number,
): HostTensor {
  const data = new Float32Array((to - from) * pictures * width);
  for (let picture = 0; picture < pictures; picture++) {
    for (let step = from; step < to; step++) {
      const draw = noise[picture]?.subarray((1 + step) * width, (2 + step) * width) ?? [];
      data.set(draw, ((step - from) * pictures + picture) * width);
    }
  }
  return float32([to - from, pictures, width], data);
}

function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0);
}

function float32(shape: readonly number[], data: Float32Array): HostTensor {
  return { dtype: "float32", shape, data };
}
