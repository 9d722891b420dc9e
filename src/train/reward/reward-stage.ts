/** @file The stage of reward learning: what the loop sees of it. */
import type { Engine } from "../../runtime/engine.ts";
import type { TextTokenizer } from "../../sequence/tokenizer.ts";
import type { Policy } from "../adapter/policy.ts";
import { adjustableSettings, optimizationIdentity } from "../loop/stage-settings.ts";
import type { Judgement, TrainStage } from "../loop/train-stage.ts";
import type { LossSums } from "../objective/objective.ts";
import { PartGradients } from "../objective/part-gradients.ts";
import type { Optimizer } from "../optimizer/optimizer.ts";
import type { NamedBuffer, Trainable } from "../optimizer/trainable.ts";
import { type JsonValue, plainJson } from "../plain-json.ts";
import type { PolicyGradient, PolicyPlan } from "./policy-gradient.ts";
import type { RewardTrainConfig } from "./reward-train-config.ts";
import type { RewardValidation } from "./reward-validation.ts";

/** One graph serves all parts; it holds the model's weights. */
const MOST_SESSIONS = 1;

export interface RewardStageParts {
  readonly engine: Engine;
  readonly config: RewardTrainConfig;
  readonly tokenizer: TextTokenizer;
  /** Sides of a picture, in pixels. */
  readonly imageSize: number;
  readonly rowLag: number | null;
  readonly policy: Policy;
  readonly optimizer: Optimizer;
  readonly objective: PolicyGradient;
  readonly validation: RewardValidation | undefined;
  /** Digests of what the result depends on beside the settings. */
  readonly inputs: JsonValue;
}

export class RewardStage implements TrainStage<PolicyPlan> {
  readonly trainables: readonly Trainable[];
  readonly optimizer: Optimizer;
  readonly identity: JsonValue;
  readonly adjustable: JsonValue;
  readonly learningRate: number;
  readonly judgement: Judgement = { metric: "reward", better: "higher" };
  readonly planner: PolicyGradient;
  /** Left out without prompts. */
  readonly drawSamples?: (weights: readonly NamedBuffer[]) => Promise<Uint8Array>;
  readonly #parts: RewardStageParts;
  readonly #gradients: PartGradients<PolicyPlan>;

  constructor(parts: RewardStageParts) {
    const { engine, config, objective, policy, optimizer, tokenizer, imageSize, rowLag } = parts;
    this.#parts = parts;
    this.trainables = policy.trainables;
    this.optimizer = optimizer;
    this.planner = objective;
    this.identity = identityOf(parts);
    this.adjustable = adjustableSettings(config);
    this.learningRate = config.optimizer.learningRate;
    this.#gradients = new PartGradients(
      engine,
      objective,
      policy.trainables,
      MOST_SESSIONS,
      policy.frozen?.weights,
    );
    if (config.samples.prompts.length > 0) {
      this.drawSamples = (weights) => policy.drawGrid(weights, tokenizer, { ...config, imageSize, rowLag });
    }
  }

  /** Draws and scores the pictures of the plan in front of its first part. */
  async compute(plan: PolicyPlan, part: number, isFirst: boolean): Promise<LossSums> {
    if (isFirst) await this.planner.draw(plan);
    if (this.planner.holds(plan, part)) return this.#gradients.compute(plan, part, isFirst);
    if (isFirst) for (const { gradient } of this.trainables) gradient.fill(0);
    return { loss: 0 };
  }

  async validate(weights: readonly NamedBuffer[]): Promise<Record<string, number>> {
    return (await this.#parts.validation?.run(weights)) ?? {};
  }

  writeModel(folder: string, weights: readonly NamedBuffer[]): Promise<void> {
    return this.#parts.policy.write(folder, weights);
  }
}

/** Everything that decides the result; periods and paths do not. */
function identityOf({ config, policy, imageSize, rowLag, inputs }: RewardStageParts): JsonValue {
  const { seed, reward, groups, rollout, replaySteps, pull } = config;
  const { together: _together, ...drawn } = rollout;
  return plainJson({
    ...{ stage: "reward", inputs, trained: policy.identity, reward: reward.name },
    ...{ seed, imageSize, rowLag, groups, rollout: drawn, replaySteps, pull },
    ...optimizationIdentity(config),
  });
}
