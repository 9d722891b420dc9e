/** @file Loss and gradients of a plan's parts, each in the session of its graph. */
import type { Engine, WeightSource } from "../../runtime/engine.ts";
import type { Trainable } from "../optimizer/trainable.ts";
import { GradientSession } from "./gradient-session.ts";
import type { GraphChoice, LossSums, Objective, StepPlan } from "./objective.ts";

interface GraphSession {
  readonly session: GradientSession;
  /** Weights that the graph leaves alone. */
  readonly untouched: readonly Trainable[];
}

export class PartGradients<Plan extends StepPlan> {
  readonly #engine: Engine;
  readonly #objective: Objective<Plan>;
  readonly #trainables: readonly Trainable[];
  readonly #mostSessions: number;
  readonly #frozen: WeightSource | undefined;
  /** By key, the one used last at the end. */
  readonly #sessions = new Map<string, GraphSession>();

  /**
   * @param mostSessions kept at a time: an engine holds memory for each of them.
   * @param frozen see {@link GradientSession.create}
   */
  constructor(
    engine: Engine,
    objective: Objective<Plan>,
    trainables: readonly Trainable[],
    mostSessions: number,
    frozen?: WeightSource,
  ) {
    this.#frozen = frozen;
    this.#engine = engine;
    this.#objective = objective;
    this.#trainables = trainables;
    this.#mostSessions = mostSessions;
  }

  /**
   * Part `part` (from 0) forward and backward. Its gradients replace those of the trainables (`isFirst`) or are added
   * to them.
   */
  async compute(plan: Plan, part: number, isFirst: boolean): Promise<LossSums> {
    const feeds = await this.#objective.feeds(plan, part);
    const { session, untouched } = await this.#sessionOf(this.#objective.graph(plan, part));
    if (isFirst) for (const { gradient } of untouched) gradient.fill(0);
    return session.run(feeds, isFirst);
  }

  async #sessionOf({ key, build }: GraphChoice): Promise<GraphSession> {
    const known = this.#sessions.get(key);
    if (known !== undefined) {
      this.#sessions.delete(key);
      this.#sessions.set(key, known);
      return known;
    }
    for (const [old, { session }] of this.#sessions) {
      if (this.#sessions.size < this.#mostSessions) break;
      this.#sessions.delete(old);
      await session.dispose();
    }
    const graph = build();
    const names = new Set(
      graph.parameters.map(({ producer }) => (producer.kind === "parameter" ? producer.name : "")),
    );
    const made = {
      session: await GradientSession.create(this.#engine, graph, this.#trainables, this.#frozen),
      untouched: this.#trainables.filter(({ name }) => !names.has(name)),
    };
    this.#sessions.set(key, made);
    return made;
  }
}
