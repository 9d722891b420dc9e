/** @file The loss of pairs on a tiny model: its value, its gradient, and that parts change nothing. */
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type ModelFolder, openModelFolder } from "../../checkpoint/model-folder.ts";
import { LocalFolder } from "../../files/local-folder.ts";
import { testModelPath } from "../../generate/test-models.ts";
import { type NextStepConfig, tokenWidth } from "../../model/config.ts";
import { LocalEngine } from "../../runtime/node/local-engine.ts";
import type { Grid } from "../../sequence/segments.ts";
import { loadTokenizer, type TextTokenizer } from "../../sequence/tokenizer.ts";
import { CounterRng } from "../../tensor/counter-rng.ts";
import { adapterPolicy, modelPolicy, type Policy } from "../adapter/policy.ts";
import { padRows } from "../model/batches.ts";
import { imageTextSample } from "../model/training-sample.ts";
import { flowDraws } from "../objective/flow-draws.ts";
import { GradientSession } from "../objective/gradient-session.ts";
import type { LossSums } from "../objective/objective.ts";
import { PartGradients } from "../objective/part-gradients.ts";
import { trainingFeeds } from "../objective/training-feeds.ts";
import { IMAGE_SUM, trainingGraph } from "../objective/training-graph.ts";
import { PairErrorSession } from "./pair-error-session.ts";
import { SUMS } from "./preference-graph.ts";
import {
  loadPairs,
  PreferenceObjective,
  type PreferenceObjectiveOptions,
  type PreferencePlan,
  type TokenPairs,
} from "./preference-objective.ts";

const GRIDS: readonly Grid[] = [
  [1, 2],
  [2, 2],
  [4, 3],
  [2, 3],
];
const ADAPTER = {
  rank: 2,
  alpha: 2,
  rankStabilised: false,
  dropout: 0,
  targets: null,
  ranks: {},
  alphas: {},
};
const OPTIONS = { utility: "sigmoid", beta: 8, seed: 1, batch: 4, accumulate: 1, rowLag: null } as const;

const engine = new LocalEngine({ threads: 1 });
let base: ModelFolder;
let model: NextStepConfig;
let tokenizer: TextTokenizer;
beforeAll(async () => {
  base = await openModelFolder(new LocalFolder(testModelPath("v1.1")));
  model = base.config;
  tokenizer = await loadTokenizer(base.files);
});
afterAll(async () => {
  await engine[Symbol.asyncDispose]();
  await base[Symbol.asyncDispose]();
});

/** Pairs of random tokens, one of each grid. */
function randomPairs(): TokenPairs {
  const width = tokenWidth(model);
  const pictures = GRIDS.map((grid, pair) =>
    [0, 1].map((image) => ({
      grid,
      tokens: new CounterRng(2 * pair + image).fillNormal(new Float32Array(grid[0] * grid[1] * width)),
    })),
  );
  return {
    folder: {
      length: GRIDS.length,
      pairs: GRIDS.map((_, pair) => ({
        ...{ prompt: "a red apple ".repeat(pair + 1), winner: "w", loser: "l" },
        ...{ winnerPath: "w", loserPath: "l", where: `pair ${pair}` },
      })),
    },
    latents: {
      gridsOf: async (pair) => pictures[pair]!.map(({ grid }) => grid),
      load: async (places) => places.map(({ sample, image }) => pictures[sample]![image]!),
    },
  };
}

interface Trial {
  readonly objective: PreferenceObjective;
  readonly plan: PreferencePlan;
  /** Sums over all parts, the gradients being left in the policy's trainables. */
  compute(): Promise<LossSums>;
}

async function trialOf(policy: Policy, change: Partial<PreferenceObjectiveOptions> = {}): Promise<Trial> {
  const options = { ...OPTIONS, ...change };
  const session = await PairErrorSession.create(
    engine,
    model,
    { isOrdered: options.rowLag !== null },
    policy.frozen,
  );
  const weights = policy.trainables.map((own) => ({ ...own, data: own.data.slice() }));
  const objective = new PreferenceObjective(
    model,
    tokenizer,
    randomPairs(),
    { session, weights },
    {
      gradientCheckpointing: false,
      ...options,
      ...(policy.frozen === undefined ? {} : { base: policy.frozen }),
    },
  );
  const gradients = new PartGradients(engine, objective, policy.trainables, 1, policy.frozen?.weights);
  const plan = await objective.plan(0);
  return {
    objective,
    plan,
    compute: async () => {
      const sums: Record<string, number> & { loss: number } = { loss: 0 };
      for (let part = 0; part < plan.parts; part++) {
        const own = await gradients.compute(plan, part, part === 0);
        for (const [name, value] of Object.entries(own)) sums[name] = (sums[name] ?? 0) + value;
      }
      return sums;
    },
  };
}

/** Moves all weights by a share of random numbers, so that nothing is where it began. */
function disturb(policy: Policy, size: number): void {
  for (const [index, { data }] of policy.trainables.entries()) {
    const noise = new CounterRng(100 + index).fillNormal(new Float32Array(data.length));
    data.forEach((value, at) => {
      data[at] = value + size * (noise[at] as number);
    });
  }
}

it("takes for a picture's loss what training makes small", async () => {
  const policy = await modelPolicy(base, model, 3);
  const { objective, plan, compute } = await trialOf(policy, { batch: 1 });
  const { winner_loss: loss } = objective.metrics(plan, await compute());
  const [pair] = await loadPairs(randomPairs(), plan.pairs[0]!);
  const { prompt, grid, winner } = pair!;
  const sample = imageTextSample(tokenizer, prompt, grid, { dropText: false });
  const images = [{ tokens: winner, read: winner, predicted: true }];
  const rows = { ...padRows([{ sample, images: [] }], tokenizer.specials.pad), images };
  const draws = flowDraws(model, plan.flow, 0, plan.cells[0]![0]!);
  const { parts, feeds, imageCount } = trainingFeeds(model, rows, draws);
  const session = await GradientSession.create(engine, trainingGraph(model, parts), policy.trainables);
  const sums = await session.run(feeds, true);
  expect(loss).toBeCloseTo(sums[IMAGE_SUM]! / imageCount, 5);
  await session.dispose();
});

it("follows the drawing order that pictures are learnt in", async () => {
  const policy = await modelPolicy(base, model, 3);
  const trials = [await trialOf(policy), await trialOf(policy, { rowLag: 1 })];
  const [raster, staggered] = await Promise.all(
    trials.map(async ({ objective, plan, compute }) => objective.metrics(plan, await compute())),
  );
  expect(staggered).toMatchObject({ margin: expect.closeTo(0, 5), winner_rise: expect.closeTo(0, 6) });
  expect(staggered?.winner_loss).not.toBeCloseTo(raster?.winner_loss as number, 4);
});

const policies = {
  "an adapter": async () => adapterPolicy(base, ADAPTER, 3),
  "all weights": () => modelPolicy(base, model, 3),
};

describe.each(Object.entries(policies))("preferences with %s", (_name, create) => {
  it("begin at log 2, with no margin", async () => {
    const { objective, plan, compute } = await trialOf(await create());
    const sums = await compute();
    expect(sums.loss).toBeCloseTo(Math.log(2), 5);
    const figures = objective.metrics(plan, sums);
    expect(figures.margin).toBeCloseTo(0, 5);
    expect(figures.winner_rise).toBeCloseTo(0, 6);
    expect(figures.loser_rise).toBeCloseTo(0, 6);
    expect(figures.winner_loss).toBeGreaterThan(0.5);
    expect(figures.winner_loss).not.toBeCloseTo(figures.loser_loss as number, 3);
  });

  it.each(["sigmoid", "linear"] as const)("have the gradient of finite differences, %s", async (utility) => {
    const policy = await create();
    const { compute } = await trialOf(policy, { utility });
    disturb(policy, 0.02);
    await compute();
    const gradient = policy.trainables.map((own) => own.gradient.slice());
    const norm = Math.sqrt(
      gradient.flatMap((own) => [...own]).reduce((sum, value) => sum + value * value, 0),
    );
    expect(norm).toBeGreaterThan(0.01);
    const start = policy.trainables.map(({ data }) => data.slice());
    // Along the gradient, where the difference is largest against the rounding of float32.
    const lossAt = async (step: number): Promise<number> => {
      for (const [index, { data }] of policy.trainables.entries()) {
        data.forEach((_value, at) => {
          data[at] = start[index]![at]! + (step * gradient[index]![at]!) / norm;
        });
      }
      return (await compute()).loss;
    };
    const step = 0.003;
    const slope = ((await lossAt(step)) - (await lossAt(-step))) / (2 * step);
    expect(Math.abs(slope / norm - 1)).toBeLessThan(0.02);
  });

  it("do not depend on how an update is cut into parts", async () => {
    const policy = await create();
    const whole = await trialOf(policy);
    const cut = await trialOf(policy, { batch: 1, accumulate: 4 });
    disturb(policy, 0.02);
    const sums = await whole.compute();
    const gradients = policy.trainables.map((own) => own.gradient.slice());
    const ofParts = await cut.compute();
    expect(cut.plan.pairs.flat()).toEqual(whole.plan.pairs.flat());
    for (const name of ["loss", ...Object.values(SUMS)]) {
      expect(ofParts[name], name).toBeCloseTo(sums[name] as number, 4);
    }
    for (const [index, { gradient, name }] of policy.trainables.entries()) {
      const before = gradients[index] as Float32Array;
      const size = before.reduce((most, value) => Math.max(most, Math.abs(value)), 1e-3);
      const apart = gradient.reduce((most, value, at) => Math.max(most, Math.abs(value - before[at]!)), 0);
      expect(apart / size, name).toBeLessThan(1e-4);
    }
  });
});
