/**
 * @file Flow losses of pairs with given weights, without gradients: of the reference, which is the weights as they were at the
 * start, and of held-out pairs. The same products in the same order as in the graph of the loss, so that a run begins with no
 * difference to its reference but rounding.
 */
import { writeOnnx } from "../../graph/onnx-writer.ts";
import type { NextStepConfig } from "../../model/config.ts";
import { ParameterScope } from "../../model/parameter-scope.ts";
import type { Engine, HostTensor, Session } from "../../runtime/engine.ts";
import type { FrozenBase } from "../objective/frozen-base.ts";
import { type NamedBuffer, weightFeeds } from "../optimizer/trainable.ts";
import { type PreferenceParts, pairErrors } from "./preference-graph.ts";

export class PairErrorSession {
  readonly #session: Session;
  readonly #inputs: ReadonlySet<string>;

  private constructor(session: Session) {
    this.#session = session;
    this.#inputs = new Set(session.model.inputs.map(({ name }) => name));
  }

  static async create(
    engine: Engine,
    config: NextStepConfig,
    parts: PreferenceParts,
    base?: FrozenBase,
  ): Promise<PairErrorSession> {
    const scope = base?.scope() ?? new ParameterScope();
    const errors = pairErrors(scope, config, parts);
    const isInput = (name: string): boolean => base?.isTrained(name) !== false;
    const graph = writeOnnx({ errors }, { parameters: (name) => (isInput(name) ? "input" : "initializer") });
    return new PairErrorSession(await engine.createSession(graph, base?.weights));
  }

  /** @returns [pairs, 2], winner and loser. */
  async run(
    feeds: Readonly<Record<string, HostTensor>>,
    weights: readonly NamedBuffer[],
  ): Promise<HostTensor> {
    const parameters = weightFeeds(weights.filter(({ name }) => this.#inputs.has(name)));
    const given = Object.entries(feeds).filter(([name]) => this.#inputs.has(name));
    const { errors } = await this.#session.run({ ...parameters, ...Object.fromEntries(given) });
    return errors as HostTensor;
  }

  async dispose(): Promise<void> {
    await this.#session.dispose();
  }
}
