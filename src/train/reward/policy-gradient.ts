/**
 * @file The objective of reward learning, Flow-GRPO (arXiv 2505.05470) over the tokens of a picture: groups of pictures are
 * drawn with the weights as they are, scored, and each is made likelier or less likely by how much better or worse it is
 * than its group. Every update draws anew and is the only one over what it drew, so that it is strictly on policy.
 */
import { InputError } from "../../errors.ts";
import { DrawingOrder } from "../../generate/drawing-order.ts";
import { type SolverRow, solverTable } from "../../generate/solvers.ts";
import type { RgbImage } from "../../image/pixels.ts";
import type { NextStepConfig } from "../../model/config.ts";
import type { HostTensor, Session } from "../../runtime/engine.ts";
import { AttentionMasks } from "../objective/attention-mask.ts";
import type { FrozenBase } from "../objective/frozen-base.ts";
import type { GraphChoice, LossSums, Objective, StepPlan } from "../objective/objective.ts";
import type { JsonValue } from "../plain-json.ts";
import { randomFor } from "../step-random.ts";
import { type GroupBounds, type GroupOutcome, groupOutcomes, meanOf } from "./group-advantages.ts";
import { promptsOfStep } from "./prompt-list.ts";
import { floats, replayFeeds, scalar } from "./replay-feeds.ts";
import { DISTANCE, REPLAY_SQUARES, replayGraph } from "./replay-graph.ts";
import { type Reward, rewardsOf } from "./reward.ts";
import { ROLLOUT_SAMPLER, type Rollout, type RolloutSettings, type WantedPicture } from "./rollout.ts";

export interface PolicyPlan extends StepPlan {
  /** Group after group. */
  readonly wanted: readonly WantedPicture[];
  /** Solver steps that are learnt from, the same for all, from 0, in ascending order. */
  readonly solverSteps: readonly number[];
}

/** Draws pictures with the weights in training. */
export interface Drawer {
  draw(wanted: readonly WantedPicture[], solverSteps: readonly number[]): Promise<readonly DrawnPicture[]>;
}

export interface DrawnPicture {
  readonly rollout: Rollout;
  readonly pixels: RgbImage;
}

export interface PolicyGradientOptions {
  readonly prompts: readonly string[];
  readonly seed: number;
  /** Prompts of an update, and pictures of each. */
  readonly groups: GroupBounds & { readonly prompts: number; readonly size: number };
  readonly rollout: Pick<RolloutSettings, "solver" | "rowLag">;
  /** Solver steps of an update that are learnt from; at most all but the last. */
  readonly replaySteps: number;
  /** Parts that an update is replayed in. */
  readonly parts: number;
  readonly reward: Reward;
  readonly gradientCheckpointing: boolean;
  readonly signal?: AbortSignal | undefined;
  /** Default: all weights are trained. */
  readonly network?: FrozenBase | undefined;
  /** Towards the base, as {@link replayGraph} has it; undefined where nothing pulls. */
  readonly pull?: { readonly weight: number; readonly base: Session } | undefined;
}

/** What was drawn for a plan, and what came of it. */
interface Outcome {
  readonly plan: PolicyPlan;
  readonly groups: readonly GroupOutcome[];
  readonly rewards: Float64Array;
  /** Of groups that were kept. */
  readonly replayed: readonly { readonly rollout: Rollout; readonly advantage: number }[];
}

export class PolicyGradient implements Objective<PolicyPlan> {
  readonly #model: NextStepConfig;
  readonly #drawer: Drawer;
  readonly #options: PolicyGradientOptions;
  readonly #table: readonly SolverRow[];
  readonly #masks = new AttentionMasks();
  #outcome: Outcome | undefined;

  constructor(model: NextStepConfig, drawer: Drawer, options: PolicyGradientOptions) {
    this.#model = model;
    this.#drawer = drawer;
    this.#options = options;
    this.#table = solverTable(ROLLOUT_SAMPLER, options.rollout.solver);
  }

  async plan(step: number): Promise<PolicyPlan> {
    const { prompts, seed, groups, parts, replaySteps } = this.#options;
    const rng = randomFor(seed, "rollout", step);
    const wanted = promptsOfStep(prompts.length, groups.prompts, seed, step).flatMap((index) =>
      Array.from({ length: groups.size }, () => ({ prompt: prompts[index] as string, seed: rng.uint32() })),
    );
    // The last step draws no noise: where it leads has no probability.
    const noisy = Array.from({ length: this.#table.length - 1 }, (_, index) => index);
    const chosen = randomFor(seed, "solver steps", step).shuffle(noisy).slice(0, replaySteps);
    const solverSteps = chosen.sort((a, b) => a - b);
    return { parts, images: wanted.length, wanted, solverSteps };
  }

  /**
   * Draws and scores the pictures of a plan with the weights as they are, in front of its first part.
   * @throws what drawing and the reward throw; AbortedError
   */
  async draw(plan: PolicyPlan): Promise<void> {
    const { reward, groups: bounds, signal } = this.#options;
    const drawn = await this.#drawer.draw(plan.wanted, plan.solverSteps);
    const pictures = drawn.map(({ pixels }, index) => ({ prompt: plan.wanted[index]?.prompt ?? "", pixels }));
    const rewards = await rewardsOf(reward, pictures, signal === undefined ? {} : { signal });
    const groups = groupOutcomes(rewards, bounds.size, bounds);
    const replayed = drawn.flatMap(({ rollout }, index) => {
      const group = groups[Math.floor(index / bounds.size)] as GroupOutcome;
      const advantage = group.advantages[index % bounds.size] as number;
      return group.kept ? [{ rollout, advantage }] : [];
    });
    this.#outcome = { plan, groups, rewards, replayed };
  }

  /** Whether a part of a plan that was drawn has anything to replay: fewer pictures are kept than drawn. */
  holds(plan: PolicyPlan, part: number): boolean {
    return this.#partOf(plan, part).length > 0;
  }

  graph(plan: PolicyPlan, part: number): GraphChoice {
    const { network, pull, gradientCheckpointing } = this.#options;
    const [first] = this.#partOf(plan, part);
    const parts = {
      maskPerRow: first !== undefined && this.#orderOf(first.rollout) !== undefined,
      pulls: pull !== undefined,
      gradientCheckpointing,
    };
    return { key: JSON.stringify(parts), build: () => replayGraph(this.#model, parts, network) };
  }

  async feeds(plan: PolicyPlan, part: number): Promise<Readonly<Record<string, HostTensor>>> {
    const own = this.#partOf(plan, part);
    const { replayed } = this.#outcomeOf(plan);
    const solverRows = plan.solverSteps.map((step) => this.#table[step] as SolverRow);
    const rollouts = own.map(({ rollout }) => rollout);
    const order = this.#orderOf(rollouts[0] as Rollout);
    const sequence = replayFeeds(this.#model, rollouts, solverRows, order, this.#masks);
    const terms = replayed.length * solverRows.length;
    const shares = Float32Array.from(own, ({ advantage }) => advantage / terms);
    const feeds = { ...sequence, advantages: floats([own.length, 1], shares) };
    const { pull } = this.#options;
    if (pull === undefined) return feeds;
    const inputs = new Set(pull.base.model.inputs.map(({ name }) => name));
    const { velocities } = await pull.base.run(
      Object.fromEntries(Object.entries(sequence).filter(([name]) => inputs.has(name))),
    );
    const factors = Float32Array.from(solverRows, ({ b, c }) => b ** 2 / (2 * c ** 2) / terms);
    return {
      ...feeds,
      base_velocities: velocities as HostTensor,
      distance_factors: floats([solverRows.length], factors),
      pull: scalar(pull.weight),
    };
  }

  /**
   * `reward`, the mean of all pictures drawn; `spread`, the mean standard deviation of a group; `rejected`, the groups that
   * were left out; `replay_difference`, the root mean square by which log-probabilities of tokens differ between drawing
   * and replay; `distance` to the base.
   */
  metrics(plan: PolicyPlan, sums: LossSums): Record<string, number> {
    const { groups, rewards, replayed } = this.#outcomeOf(plan);
    const logs = replayed.reduce((sum, { rollout }) => sum + rollout.path.logs.length, 0);
    const distance = sums[DISTANCE];
    return {
      reward: meanOf(rewards),
      spread: meanOf(groups.map(({ spread }) => spread)),
      rejected: groups.filter(({ kept }) => !kept).length,
      ...(logs === 0 ? {} : { replay_difference: Math.sqrt((sums[REPLAY_SQUARES] ?? 0) / logs) }),
      ...(distance === undefined ? {} : { distance }),
    };
  }

  /** Everything follows from the step. */
  position(): JsonValue {
    return null;
  }

  restorePosition(): void {}

  #outcomeOf(plan: PolicyPlan): Outcome {
    if (this.#outcome?.plan !== plan) throw new InputError("was not drawn", { where: "plan" });
    return this.#outcome;
  }

  #partOf(plan: PolicyPlan, part: number): Outcome["replayed"] {
    const { replayed } = this.#outcomeOf(plan);
    const end = (index: number): number => Math.floor((index * replayed.length) / plan.parts);
    return replayed.slice(end(part), end(part + 1));
  }

  /** Undefined for raster order, which needs no mask of its own. */
  #orderOf({ grid }: Rollout): DrawingOrder | undefined {
    const order = new DrawingOrder(grid, this.#options.rollout.rowLag);
    return order.staggered ? order : undefined;
  }
}
