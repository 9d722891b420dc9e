/** @file The formats in which a weight can be bound, and the parameters that stand for it in a graph. */

/**
 * A matrix [outputs, inputs] in blocks along its inputs. Each block of `blockSize` numbers has a scale and, unless it
 * is symmetric, a zero point; a number is scale * (integer - zero point), the integers having `bits` bits. Inputs that
 * do not fill the last block are padded with zeros.
 */
export interface BlockFormat {
  readonly bits: 4 | 8;
  readonly blockSize: 32 | 64 | 128;
  /** Zero points are all 2^(bits - 1) and not stored. */
  readonly symmetric: boolean;
}

export type WeightFormat = "float32" | "float16" | "bfloat16" | BlockFormat;

/**
 * The format of each weight by its checkpoint name. Blocks are for the matrices of linears and for embedding tables:
 * anything else that a plan would put into blocks is float32.
 */
export type WeightPlan = (name: string) => WeightFormat;

const SCALES = ".scales";
const ZERO_POINTS = ".zero_points";

/** Parameters beside the packed integers, which keep the weight's own name. */
export const scalesName = (weight: string): string => weight + SCALES;
export const zeroPointsName = (weight: string): string => weight + ZERO_POINTS;

/** The weight that a parameter is part of: the parameter itself, unless it holds scales or zero points. */
export function packedWeightOf(parameter: string): string {
  const suffix = [SCALES, ZERO_POINTS].find((ending) => parameter.endsWith(ending));
  return suffix === undefined ? parameter : parameter.slice(0, -suffix.length);
}

export interface PackedShapes {
  /** uint8, low bits first. [outputs, blocks, blockSize * bits / 8] */
  readonly packed: readonly [number, number, number];
  /** float32. [outputs, blocks] */
  readonly scales: readonly [number, number];
  /** uint8, low bits first, each row beginning a byte. [outputs, ceil(blocks * bits / 8)] */
  readonly zeroPoints: readonly [number, number];
}

/** Shapes of the parameters that stand for a matrix [outputs, inputs]. */
export function packedShapes(
  { bits, blockSize }: BlockFormat,
  outputs: number,
  inputs: number,
): PackedShapes {
  const blocks = Math.ceil(inputs / blockSize);
  return {
    packed: [outputs, blocks, (blockSize * bits) / 8],
    scales: [outputs, blocks],
    zeroPoints: [outputs, Math.ceil((blocks * bits) / 8)],
  };
}
