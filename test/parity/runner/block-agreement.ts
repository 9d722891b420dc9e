/** @file A model whose weights are stored in blocks, against the float path on what the blocks stand for. */
import type { ModelFolder } from "../../../src/checkpoint/model-folder.ts";
import type { TensorSet } from "../../../src/checkpoint/tensor-set.ts";
import { type OnnxModel, writeOnnx } from "../../../src/graph/onnx-writer.ts";
import { abs, div, mul, scale, shift } from "../../../src/graph/operators/elementwise.ts";
import { pad, slice } from "../../../src/graph/operators/layout.ts";
import { reshape } from "../../../src/graph/operators/reshape.ts";
import { apply, constant, input, kernel, type Operator, type Value } from "../../../src/graph/value.ts";
import {
  backbone,
  embedTokens,
  imageIn,
  imageOut,
  lmHead,
  rotaryTables,
} from "../../../src/model/backbone.ts";
import { type NextStepConfig, tokenWidth } from "../../../src/model/config.ts";
import { flowHead } from "../../../src/model/flow-head.ts";
import { type LinearOptions, ParameterScope } from "../../../src/model/parameter-scope.ts";
import type { WeightPlan } from "../../../src/model/weight-format.ts";
import type { Engine, Feeds, HostTensor, WeightSource } from "../../../src/runtime/engine.ts";
import { CounterRng } from "../../../src/tensor/counter-rng.ts";

const ROWS = 2;
const TOKENS = 7;

function normal(shape: readonly number[], seed: number): HostTensor {
  const data = new CounterRng(seed).fillNormal(new Float32Array(shape.reduce((a, b) => a * b, 1)));
  return { dtype: "float32", shape, data };
}

/** A graph of a model and what it is fed. */
export interface AgreementCase {
  readonly outputs: (scope: ParameterScope) => Record<string, Value>;
  readonly feeds: Feeds;
}

/** Text and image tokens through embedding, backbone, both projectors and the LM head. */
function backboneCase(config: NextStepConfig): AgreementCase {
  const width = tokenWidth(config);
  const { cosines, sines } = rotaryTables(config, TOKENS);
  const half = config.headDim / 2;
  const table = (data: Float32Array): HostTensor => ({ dtype: "float32", shape: [TOKENS, half], data });
  const ids = new CounterRng(1);
  const causal = Float32Array.from({ length: TOKENS * TOKENS }, (_, i) =>
    i % TOKENS > Math.floor(i / TOKENS) ? -1e9 : 0,
  );
  const int64 = (element: (i: number) => number): HostTensor => ({
    dtype: "int64",
    shape: [ROWS, TOKENS],
    data: BigInt64Array.from({ length: ROWS * TOKENS }, (_, i) => BigInt(element(i))),
  });
  return {
    outputs: (scope) => {
      const shape = ["rows", "tokens"];
      const text = embedTokens(scope, config, input("ids", "int64", shape));
      const { hidden } = backbone(scope, config, {
        embeds: text,
        positions: input("positions", "int64", shape),
        cosines: input("cosines", "float32", ["positions", half]),
        sines: input("sines", "float32", ["positions", half]),
        mask: input("mask", "float32", [1, 1, "tokens", "tokens"]),
      });
      const image = imageIn(scope, config, input("images", "float32", ["rows", "tokens", width]));
      return {
        text,
        image,
        hidden,
        condition: imageOut(scope, config, hidden),
        logits: lmHead(scope, config, hidden),
      };
    },
    feeds: {
      ids: int64(() => ids.below(config.vocabSize)),
      images: normal([ROWS, TOKENS, width], 2),
      positions: int64((i) => i % TOKENS),
      cosines: table(cosines),
      sines: table(sines),
      mask: { dtype: "float32", shape: [1, 1, TOKENS, TOKENS], data: causal },
    },
  };
}

function headCase(config: NextStepConfig): AgreementCase {
  const width = tokenWidth(config);
  return {
    outputs: (scope) => ({
      velocity: flowHead(
        scope,
        config,
        input("x", "float32", ["count", width]),
        input("t", "float32", ["count"]),
        input("condition", "float32", ["count", config.hiddenSize]),
      ),
    }),
    feeds: {
      x: normal([5, width], 3),
      t: { dtype: "float32", shape: [5], data: Float32Array.of(0, 0.2, 0.5, 0.9, 1) },
      condition: normal([5, config.hiddenSize], 4),
    },
  };
}

const roundOperator: Operator = { name: "round", lower: kernel("Round") };
const maxOperator: Operator = { name: "reduceMax", lower: kernel("ReduceMax") };

/** The float path with activations rounded as the block kernels do: to 127 steps of each block's largest. */
class RoundingScope extends ParameterScope {
  readonly #blockSize: number;
  readonly #stored: WeightPlan;

  /** @param stored Of weights that are floats in it, products are left alone. */
  constructor(blockSize: number, stored: WeightPlan) {
    super();
    this.#blockSize = blockSize;
    this.#stored = stored;
  }

  override linear(name: string, x: Value, outputs: number, options: LinearOptions): Value {
    if (typeof this.#stored(`${name}.weight`) === "string") return super.linear(name, x, outputs, options);
    const width = x.shape.at(-1) as number;
    const blocks = Math.ceil(width / this.#blockSize);
    const axis = x.shape.length - 1;
    const padded = pad(x, [{ axis, before: 0, after: blocks * this.#blockSize - width }]);
    const cut = reshape(padded, [...x.shape.slice(0, -1), blocks, this.#blockSize]);
    const last = constant([axis + 1], [1], "int64");
    const largest = apply(maxOperator, [abs(cut), last], "float32", [...cut.shape.slice(0, -1), 1], {
      keepdims: 1,
    });
    // A block of zeros stays one.
    const step = shift(scale(largest, 1 / 127), 1e-30);
    const rounded = mul(apply(roundOperator, [div(cut, step)], "float32", cut.shape), step);
    const joined = reshape(rounded, padded.shape);
    return super.linear(name, slice(joined, { axis, start: 0, end: width }), outputs, options);
  }
}

/** An attribute's name, and behind it the number that it has: field 3, a varint. */
const LEVEL_NAME = Buffer.from("accuracy_level");
const [LEVEL_FIELD, ROUNDED_LEVEL, FLOAT_LEVEL] = [0x18, 4, 1] as const;

/** The same model whose block kernels take activations as they are: slow, and so no setting of the product's. */
function withFloatActivations(model: OnnxModel): OnnxModel {
  const bytes = Buffer.from(model.bytes);
  for (let at = bytes.indexOf(LEVEL_NAME); at !== -1; at = bytes.indexOf(LEVEL_NAME, at + 1)) {
    const field = at + LEVEL_NAME.length;
    if (bytes[field] !== LEVEL_FIELD || bytes[field + 1] !== ROUNDED_LEVEL)
      throw new Error("an accuracy level is not where it was");
    bytes[field + 1] = FLOAT_LEVEL;
  }
  return { ...model, bytes: new Uint8Array(bytes) };
}

/** @param change of the written graph. */
export async function runCase(
  engine: Engine,
  { outputs, feeds }: AgreementCase,
  scope: ParameterScope,
  weights: WeightSource,
  change: (model: OnnxModel) => OnnxModel = (model) => model,
): Promise<Record<string, HostTensor>> {
  const model = change(writeOnnx(outputs(scope), { parameters: "initializers" }));
  const session = await engine.createSession(model, weights);
  const results = await session.run(feeds);
  await session.dispose();
  return results;
}

/** Root mean square of the difference, and what it may be measured by. */
interface Difference {
  readonly error: number;
  /** Root mean square of what is expected. */
  readonly typical: number;
  /** Its largest number. */
  readonly largest: number;
}

function compare(actual: HostTensor, expected: HostTensor): Difference {
  let difference = 0;
  let total = 0;
  let largest = 0;
  expected.data.forEach((value, i) => {
    difference += (Number(actual.data[i]) - Number(value)) ** 2;
    total += Number(value) ** 2;
    largest = Math.max(largest, Math.abs(Number(value)));
  });
  const count = expected.data.length;
  return { error: Math.sqrt(difference / count), typical: Math.sqrt(total / count), largest };
}

/** What the weights of a set stand for, in float32. */
export const valuesOf =
  (tensors: TensorSet): WeightSource =>
  ({ name }) =>
    tensors.read(name);

/** Backbone with embeddings, projectors and LM head, and the image head. */
export function agreementCases(config: NextStepConfig): readonly AgreementCase[] {
  return [backboneCase(config), headCase(config)];
}

export interface Agreement {
  readonly output: string;
  /** From the float path. */
  readonly float: Difference;
  /** From the float path with activations rounded as the block kernels do. */
  readonly rounded: Difference;
  /** Of the same blocks, by kernels that take activations as they are, from the float path. */
  readonly unrounded: Difference;
}

/** Every output of a model in blocks of one size. */
export async function blockAgreement(
  engine: Engine,
  { config, tensors }: Pick<ModelFolder, "config" | "tensors">,
  blockSize: number,
): Promise<readonly Agreement[]> {
  const { weightPlan, weightSource } = tensors;
  const values = valuesOf(tensors);
  const agreements: Agreement[] = [];
  for (const test of agreementCases(config)) {
    const expected = await runCase(engine, test, new ParameterScope(), values);
    const rounded = await runCase(engine, test, new RoundingScope(blockSize, weightPlan), values);
    const actual = await runCase(engine, test, new ParameterScope(weightPlan), weightSource);
    const scope = new ParameterScope(weightPlan);
    const unrounded = await runCase(engine, test, scope, weightSource, withFloatActivations);
    for (const [output, tensor] of Object.entries(actual)) {
      agreements.push({
        output,
        unrounded: compare(unrounded[output] as HostTensor, expected[output] as HostTensor),
        float: compare(tensor, expected[output] as HostTensor),
        rounded: compare(tensor, rounded[output] as HostTensor),
      });
    }
  }
  return agreements;
}
