/** @file An engine that tells how the loading of weights goes. */
import { boundParameters } from "../graph/onnx-weights.ts";
import type { OnnxModel, Port } from "../graph/onnx-writer.ts";
import type {
  ChainLink,
  Engine,
  HostTensor,
  RowCopy,
  Session,
  State,
  StateOrigin,
  WeightSource,
} from "../runtime/engine.ts";
import { bytesPerElement } from "../tensor/dtype.ts";
import type { LoadProgress } from "./open-options.ts";

/** Behaves as the engine within, and reports each weight that a session of it has taken. */
export class ReportingEngine implements Engine {
  readonly #engine: Engine;
  readonly #report: (progress: LoadProgress) => void;

  constructor(engine: Engine, report: (progress: LoadProgress) => void) {
    this.#engine = engine;
    this.#report = report;
  }

  createSession(model: OnnxModel, weights?: WeightSource): Promise<Session> {
    if (weights === undefined) return this.#engine.createSession(model);
    const of = boundParameters(model).reduce((sum, port) => sum + boundBytes(port), 0);
    let done = 0;
    const reported: WeightSource = async (port) => {
      const data = await weights(port);
      done += boundBytes(port);
      this.#report({ phase: "loading weights", done, of });
      return data;
    };
    return this.#engine.createSession(model, reported, (space) =>
      this.#report({ phase: "taking scratch space", ...space }),
    );
  }

  createState(shape: readonly number[], origin?: StateOrigin): Promise<State> {
    return this.#engine.createState(shape, origin);
  }

  copyRows(source: State, target: State, rows: readonly RowCopy[]): Promise<void> {
    return this.#engine.copyRows(source, target, rows);
  }

  runChain(links: readonly ChainLink[]): Promise<readonly Record<string, HostTensor>[]> {
    return this.#engine.runChain(links);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#engine[Symbol.asyncDispose]();
  }
}

/** Parameters have sizes in numbers alone. */
function boundBytes({ dtype, shape }: Port): number {
  return shape.reduce<number>((product, size) => product * Number(size), bytesPerElement(dtype));
}
