/** @file The objective of model training, of an adapter: the same plan, losses and inputs, and the masks of dropout. */
import type { NextStepConfig } from "../../model/config.ts";
import type { HostTensor } from "../../runtime/engine.ts";
import { Pretraining, type PretrainingOptions, type PretrainingPlan } from "../model/pretraining.ts";
import type { TrainingData } from "../model/stage-data.ts";
import type { FrozenBase } from "../objective/frozen-base.ts";
import type { GraphChoice, LossSums, Objective } from "../objective/objective.ts";
import type { JsonValue } from "../plain-json.ts";
import { randomFor } from "../step-random.ts";
import { DROPOUT_INPUT, dropoutFeed } from "./adapter-dropout.ts";

export interface AdapterPlan extends PretrainingPlan {
  readonly step: number;
}

export interface AdapterObjectiveOptions extends PretrainingOptions {
  readonly base: FrozenBase;
  readonly dropout: number;
  /** The most inputs of an adapted linear. */
  readonly widest: number;
}

export class AdapterObjective implements Objective<AdapterPlan> {
  readonly #inner: Pretraining;
  readonly #model: NextStepConfig;
  readonly #options: AdapterObjectiveOptions;

  constructor(
    model: NextStepConfig,
    data: Pick<TrainingData, "batches" | "load">,
    options: AdapterObjectiveOptions,
  ) {
    this.#inner = new Pretraining(model, data, options);
    this.#model = model;
    this.#options = options;
  }

  async plan(step: number): Promise<AdapterPlan> {
    return { ...(await this.#inner.plan(step)), step };
  }

  graph(plan: AdapterPlan, part: number): GraphChoice {
    return this.#inner.graph(plan, part);
  }

  async feeds(plan: AdapterPlan, part: number): Promise<Readonly<Record<string, HostTensor>>> {
    const feeds = await this.#inner.feeds(plan, part);
    const { dropout, seed, widest } = this.#options;
    if (dropout === 0) return feeds;
    const inBackbone = feeds.source?.data.length ?? 0;
    const inHead = (feeds.targets?.shape[0] ?? 0) * this.#model.headBatchMultiplier;
    const numbers = Math.max(inBackbone, inHead) * widest;
    const rng = randomFor(seed, "dropout", plan.step, part);
    return { ...feeds, [DROPOUT_INPUT]: dropoutFeed(numbers, dropout, rng) };
  }

  metrics(plan: AdapterPlan, sums: LossSums): Record<string, number> {
    return this.#inner.metrics(plan, sums);
  }

  position(): JsonValue {
    return this.#inner.position();
  }

  restorePosition(position: JsonValue): void {
    this.#inner.restorePosition(position);
  }
}
