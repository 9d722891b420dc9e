/** @file A loss graph with its gradients as one session: weights are inputs read in place, gradients are outputs. */
import { InputError } from "../../errors.ts";
import { gradients } from "../../graph/gradient.ts";
import { writeOnnx } from "../../graph/onnx-writer.ts";
import type { Value } from "../../graph/value.ts";
import type { Engine, HostTensor, Session, WeightSource } from "../../runtime/engine.ts";
import { accumulateGradient, type Trainable, weightFeeds } from "../optimizer/trainable.ts";

/** Keeps gradient outputs apart from metrics and from the weights' own names. */
const GRADIENT_PREFIX = "gradient/";

export interface LossGraph {
  /** Scalar of shape [] to be minimised. */
  readonly loss: Value;
  /** Further scalars to report. */
  readonly metrics?: Readonly<Record<string, Value>>;
  /** The graph's weights to be trained: parameter values, as the parameter scope holds them. */
  readonly parameters: readonly Value[];
}

export class GradientSession {
  readonly #session: Session;
  readonly #trainables: readonly Trainable[];
  readonly #weights: Record<string, HostTensor>;
  readonly #scalars: readonly string[];
  /** Inputs of a graph with frozen weights: where nothing trained lies in front, what only a gradient needs is none. */
  readonly #inputs: ReadonlySet<string> | undefined;

  private constructor(
    session: Session,
    trainables: readonly Trainable[],
    scalars: readonly string[],
    isFrozen: boolean,
  ) {
    this.#session = session;
    this.#trainables = trainables;
    this.#scalars = scalars;
    // A weight that the loss does not reach is no input of its graph.
    const inputs = new Set(session.model.inputs.map(({ name }) => name));
    this.#inputs = isFrozen ? inputs : undefined;
    this.#weights = weightFeeds(trainables.filter(({ name }) => inputs.has(name)));
  }

  /**
   * @param trainables one for each of the graph's `parameters`, by name.
   * @param frozen where the graph's other parameters are, to be bound once; without it, they are inputs of every run.
   * @throws InputError when a parameter has no trainable.
   */
  static async create(
    engine: Engine,
    graph: LossGraph,
    trainables: readonly Trainable[],
    frozen?: WeightSource,
  ): Promise<GradientSession> {
    const byName = new Map(trainables.map((weight) => [weight.name, weight]));
    const names = graph.parameters.map(({ producer }) =>
      producer.kind === "parameter" ? producer.name : "",
    );
    const trained = names.map((name) => {
      const found = byName.get(name);
      if (found === undefined) throw new InputError("has no weights", { where: `parameter "${name}"` });
      return found;
    });
    const metrics = graph.metrics ?? {};
    const outputs: Record<string, Value> = { loss: graph.loss, ...metrics };
    gradients(graph.loss, graph.parameters).forEach((value, index) => {
      outputs[GRADIENT_PREFIX + names[index]] = value;
    });
    const inputs = new Set(names);
    const session =
      frozen === undefined
        ? await engine.createSession(writeOnnx(outputs, { parameters: "inputs" }))
        : await engine.createSession(
            writeOnnx(outputs, { parameters: (name) => (inputs.has(name) ? "input" : "initializer") }),
            frozen,
          );
    const scalars = ["loss", ...Object.keys(metrics)];
    return new GradientSession(session, trained, scalars, frozen !== undefined);
  }

  /**
   * Forward and backward. Gradients replace those of the trainables (`isFirst`) or are added to them.
   * @param feeds the graph's inputs and any weights that are not trained.
   * @returns the loss and the metrics by name.
   */
  async run(
    feeds: Readonly<Record<string, HostTensor>>,
    isFirst: boolean,
  ): Promise<Record<string, number> & { loss: number }> {
    const given = Object.entries(feeds).filter(([name]) => this.#inputs?.has(name) !== false);
    const results = await this.#session.run({ ...this.#weights, ...Object.fromEntries(given) });
    for (const { name, gradient } of this.#trainables) {
      accumulateGradient(gradient, results[GRADIENT_PREFIX + name]!.data as Float32Array, isFirst);
    }
    const scalars: Record<string, number> & { loss: number } = { loss: Number.NaN };
    for (const name of this.#scalars) scalars[name] = Number(results[name]!.data[0]);
    return scalars;
  }

  async dispose(): Promise<void> {
    await this.#session.dispose();
  }
}
