/**
 * @file Muon: momentum whose direction is made orthogonal by five Newton-Schulz steps, for matrices of hidden
 * layers. A named option; the published recipe uses AdamW throughout.
 */
import { ShapeError } from "../../errors.ts";
import { writeOnnx } from "../../graph/onnx-writer.ts";
import { reduceSum } from "../../graph/operators/broadcast.ts";
import { add, div, scale, shift, sqrt, square } from "../../graph/operators/elementwise.ts";
import { transpose } from "../../graph/operators/layout.ts";
import { matmul } from "../../graph/operators/matmul.ts";
import { constant, input, type Value } from "../../graph/value.ts";
import type { Engine, Session } from "../../runtime/engine.ts";
import type { Optimizer, ParameterGroup, UpdateRequest } from "./optimizer.ts";
import type { NamedBuffer, Trainable } from "./trainable.ts";

export interface MuonOptions {
  /** 0 to 1; the update looks ahead by one step of it (Nesterov). */
  readonly momentum: number;
}

const ITERATIONS = 5;
/** The quintic x -> 3.4445 x - 4.775 x^3 + 2.0315 x^5, which drives singular values in (0, 1] towards 1. */
const [LINEAR, CUBIC, QUINTIC] = [3.4445, -4.775, 2.0315];
/** Long side c over short side r from which the Gram form is less work: 17 r^3 + 2 r^2 c against 5 r^3 + 10 r^2 c. */
const GRAM_RATIO = 1.6;
/** Keeps a gradient of zeros from dividing by zero. */
const NORM_EPSILON = 1e-7;

/** Directions of matrices of one shape. x [matrices, rows, columns] -> the same shape, singular values near 1. */
export function orthogonalize(x: Value): Value {
  const [, rows, columns] = x.shape;
  // The products are smallest with the shorter side in front.
  const isTall = typeof rows === "number" && typeof columns === "number" && rows > columns;
  const wide = isTall ? transpose(x, [0, 2, 1]) : x; // [n, r, c], r <= c
  const norm = sqrt(reduceSum(square(wide), [1, 2], { keepDims: true })); // [n, 1, 1]
  const start = div(wide, shift(norm, NORM_EPSILON));
  const [short, long] = (isTall ? [columns, rows] : [rows, columns]) as [number, number];
  const y = long >= GRAM_RATIO * short ? byGram(start, short) : byProducts(start);
  return isTall ? transpose(y, [0, 2, 1]) : y;
}

function byProducts(start: Value): Value {
  let y = start;
  for (let i = 0; i < ITERATIONS; i++) y = add(scale(y, LINEAR), matmul(mixed(gramOf(y)), y));
  return y;
}

/**
 * The same polynomial on the small side alone: with P = a + b G + c G^2 of the Gram matrix G = x x^T, a step turns x
 * into P x and G into P G P, so that the long side is multiplied at the start and at the end only.
 */
function byGram(start: Value, side: number): Value {
  const identity = constant(identityMatrix(side), [side, side]);
  let gram = gramOf(start); // [n, r, r]
  let product: Value | undefined;
  for (let i = 0; i < ITERATIONS; i++) {
    const factor = add(mixed(gram), scale(identity, LINEAR));
    product = product === undefined ? factor : matmul(factor, product);
    if (i < ITERATIONS - 1) gram = matmul(matmul(factor, gram), factor);
  }
  return matmul(product!, start);
}

const gramOf = (y: Value): Value => matmul(y, y, { transB: true }); // [n, r, r]
const mixed = (gram: Value): Value => add(scale(gram, CUBIC), scale(matmul(gram, gram), QUINTIC));

function identityMatrix(side: number): number[] {
  return Array.from({ length: side * side }, (_, i) => (i % (side + 1) === 0 ? 1 : 0));
}

/** Matrices of one shape in one group: their directions are found in one run. */
class ShapeBatch {
  readonly buffers: readonly NamedBuffer[];
  readonly #group: ParameterGroup;
  readonly #weights: readonly Trainable[];
  readonly #shape: readonly [number, number, number];
  readonly #stacked: Float32Array;
  readonly #session: Session;

  private constructor(group: ParameterGroup, weights: readonly Trainable[], session: Session) {
    const [rows, columns] = weights[0]!.shape as [number, number];
    this.#group = group;
    this.#weights = weights;
    this.#shape = [weights.length, rows, columns];
    this.#stacked = new Float32Array(weights.length * rows * columns);
    this.#session = session;
    this.buffers = weights.map(({ name, shape, data }) => ({
      name: `muon.momentum/${name}`,
      shape,
      data: new Float32Array(data.length),
    }));
  }

  static async create(
    engine: Engine,
    group: ParameterGroup,
    weights: readonly Trainable[],
  ): Promise<ShapeBatch> {
    const shape = [weights.length, ...weights[0]!.shape];
    const direction = orthogonalize(input("update", "float32", shape));
    const session = await engine.createSession(writeOnnx({ direction }, { parameters: "inputs" }));
    return new ShapeBatch(group, weights, session);
  }

  async step({ rateFactor, gradientFactor }: UpdateRequest, momentum: number): Promise<void> {
    const [, rows, columns] = this.#shape;
    const elements = rows * columns;
    const stacked = this.#stacked;
    this.#weights.forEach(({ gradient }, index) => {
      const velocity = this.buffers[index]!.data;
      const offset = index * elements;
      for (let i = 0; i < elements; i++) {
        const g = gradient[i]! * gradientFactor;
        const v = momentum * velocity[i]! + (1 - momentum) * g;
        velocity[i] = v;
        stacked[offset + i] = momentum * v + (1 - momentum) * g;
      }
    });
    const feed = { dtype: "float32" as const, shape: this.#shape, data: stacked };
    const { direction } = await this.#session.run({ update: feed });
    const directions = direction!.data as Float32Array;
    const rate = this.#group.learningRate * rateFactor;
    const kept = 1 - rate * this.#group.weightDecay;
    // A tall matrix spreads an update of the same singular values over more outputs.
    const stepSize = rate * Math.sqrt(Math.max(1, rows / columns));
    this.#weights.forEach(({ data }, index) => {
      const offset = index * elements;
      for (let i = 0; i < elements; i++) data[i] = kept * data[i]! - stepSize * directions[offset + i]!;
    });
  }
}

/**
 * Muon over groups of matrices. Its buffers are named `muon.momentum/NAME`.
 * @throws ShapeError when a weight is no matrix.
 */
export async function muon(
  engine: Engine,
  groups: readonly ParameterGroup[],
  options: MuonOptions,
): Promise<Optimizer> {
  const batches: ShapeBatch[] = [];
  for (const group of groups) {
    const byShape = new Map<string, Trainable[]>();
    for (const weight of group.parameters) {
      if (weight.shape.length !== 2) {
        throw new ShapeError(`[${weight.shape.join(", ")}] is no matrix`, { where: `muon, ${weight.name}` });
      }
      const key = weight.shape.join();
      byShape.set(key, [...(byShape.get(key) ?? []), weight]);
    }
    for (const weights of byShape.values()) batches.push(await ShapeBatch.create(engine, group, weights));
  }
  return {
    buffers: batches.flatMap(({ buffers }) => buffers),
    async step(request) {
      for (const batch of batches) await batch.step(request, options.momentum);
    },
  };
}
