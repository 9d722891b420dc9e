/** @file 2-D convolution and its gradients, composed of the forward operators that the engine has. */
import {
  addSizes,
  type Dim,
  divideSize,
  formatShape,
  multiplySizes,
  type Shape,
  subtractSizes,
} from "../size.ts";
import {
  apply,
  expectType,
  kernel,
  type Operator,
  type OperatorNode,
  requiredInput,
  shapeError,
  type Value,
} from "../value.ts";
import { reduceSum } from "./broadcast.ts";
import { concat, pad, reverse, slice, transpose } from "./layout.ts";
import { matmul } from "./matmul.ts";
import { reshape } from "./reshape.ts";

/** Zeros added on each side of a picture. */
export interface Padding {
  readonly top: number;
  readonly left: number;
  readonly bottom: number;
  readonly right: number;
}

export interface ConvolutionOptions {
  /** Default 1. */
  readonly stride?: 1 | 2;
  /** Default: half the kernel on each side, which keeps the size at stride 1. */
  readonly padding?: Padding;
}

interface Geometry {
  readonly kernel: number;
  readonly stride: number;
  readonly padding: Padding;
}

const convolutionOperator: Operator = {
  name: "convolution",
  lower: kernel("Conv"),
  gradient: (node, [gradient]) => {
    if (gradient === undefined) return [];
    const x = requiredInput(node, 0);
    const weight = requiredInput(node, 1);
    const geometry = geometryOf(node);
    const dx =
      geometry.kernel === 1 && geometry.stride === 1
        ? pointwiseInput(gradient, weight)
        : inputGradient(x, weight, gradient, geometry);
    const dWeight = weightGradient(x, weight, gradient, geometry);
    const dBias = node.inputs[2] === undefined ? undefined : reduceSum(gradient, [0, 2, 3]);
    return [dx, dWeight, dBias];
  },
};

function geometryOf(node: OperatorNode): Geometry {
  const [kernel] = node.attributes.kernel_shape as readonly [number];
  const [stride] = node.attributes.strides as readonly [number];
  const [top, left, bottom, right] = node.attributes.pads as readonly [number, number, number, number];
  return { kernel, stride, padding: { top, left, bottom, right } };
}

/** Weight of the convolution that runs backwards: channel axes swapped, kernel turned by 180 degrees. */
function turnedWeight(weight: Value): Value {
  return reverse(reverse(transpose(weight, [1, 0, 2, 3]), 2), 3);
}

/** dX of a 1 x 1 convolution: another 1 x 1 convolution. */
function pointwiseInput(gradient: Value, weight: Value): Value {
  return conv2d(gradient, transpose(weight, [1, 0, 2, 3]));
}

function inputGradient(
  x: Value,
  weight: Value,
  gradient: Value,
  { kernel, stride, padding }: Geometry,
): Value {
  if (stride === 1) {
    const reach = kernel - 1;
    return conv2d(gradient, turnedWeight(weight), undefined, {
      padding: {
        top: reach - padding.top,
        left: reach - padding.left,
        bottom: reach - padding.bottom,
        right: reach - padding.right,
      },
    });
  }
  // ONNX: output = stride * (input - 1) + output_padding + kernel - pads.
  const [, , height, width] = x.shape as [Dim, Dim, Dim, Dim];
  const [, , outHeight, outWidth] = gradient.shape as [Dim, Dim, Dim, Dim];
  const left = (size: Dim, out: Dim, before: number, after: number): number => {
    const covered = addSizes(multiplySizes(stride, subtractSizes(out, 1)), kernel - before - after);
    return Number(subtractSizes(size, covered));
  };
  const outputPadding = [
    left(height, outHeight, padding.top, padding.bottom),
    left(width, outWidth, padding.left, padding.right),
  ];
  return apply(transposedOperator, [gradient, weight], "float32", x.shape, {
    kernel_shape: [kernel, kernel],
    strides: [stride, stride],
    pads: [padding.top, padding.left, padding.bottom, padding.right],
    output_padding: outputPadding,
  });
}

/** Appears only inside gradients, which are not differentiated again. */
const transposedOperator: Operator = { name: "transposedConvolution", lower: kernel("ConvTranspose") };

/**
 * dW as kernel x kernel products of dY with x, summed over pictures: no im2col copy. Of a shift (i, j) the rows i
 * are moved in dY and the columns j in x, so that kernel copies of each serve all products.
 * x [n, in, h, w], gradient [n, out, h', w'] -> [out, in, kernel, kernel].
 */
function weightGradient(x: Value, weight: Value, gradient: Value, geometry: Geometry): Value {
  const { kernel, stride, padding } = geometry;
  const [pictures, , , outWidth] = gradient.shape as [Dim, Dim, Dim, Dim];
  const [outChannels, inChannels] = weight.shape as [Dim, Dim];
  // Rows a power of two apart fall into the same cache lines and halve the products' speed: one column of zeros more.
  const rowLength = kernel === 1 ? outWidth : addSizes(outWidth, 1);
  const taps = Array.from({ length: kernel }, (_, index) => index);
  const rowTaps = taps.map((i) => tapOf(i - padding.top, stride));
  const columnTaps = taps.map((j) => tapOf(j - padding.left, stride));

  const phases = memoize((row: number, column: number) =>
    everyOther(everyOther(x, 2, row, stride), 3, column, stride),
  );
  const shiftedColumns = memoize((row: number, j: number) => {
    const { phase, shift } = columnTaps[j] as Tap;
    const view = window(phases(row, phase), { axis: 3, start: shift, length: rowLength });
    return reshape(view, [pictures, inChannels, multiplySizes(view.shape[2] as Dim, rowLength)]);
  });
  const shiftedRows = memoize((phase: number, shift: number) => {
    const height = phases(phase, (columnTaps[0] as Tap).phase).shape[2] as Dim;
    const view = window(
      gradient,
      { axis: 2, start: -shift, length: height },
      { axis: 3, start: 0, length: rowLength },
    );
    return reshape(view, [pictures, outChannels, multiplySizes(height, rowLength)]);
  });
  const parts = rowTaps.flatMap(({ phase, shift }) =>
    taps.map((j) => {
      const product = matmul(shiftedRows(phase, shift), shiftedColumns(phase, j), { transB: true });
      return reshape(reduceSum(product, [0]), [outChannels, inChannels, 1]);
    }),
  );
  return reshape(concat(parts, 2), weight.shape);
}

/** Output r reads input stride * r + offset, which is element r + shift of those with remainder `phase`. */
interface Tap {
  readonly phase: number;
  readonly shift: number;
}

function tapOf(offset: number, stride: number): Tap {
  const shift = Math.floor(offset / stride);
  return { phase: offset - stride * shift, shift };
}

function memoize(make: (a: number, b: number) => Value): (a: number, b: number) => Value {
  const made = new Map<string, Value>();
  return (a, b) => {
    const key = `${a},${b}`;
    const value = made.get(key) ?? make(a, b);
    made.set(key, value);
    return value;
  };
}

/** Elements first, first + stride, ... of an axis. */
function everyOther(x: Value, axis: number, first: number, stride: number): Value {
  return slice(x, { axis, start: first, end: x.shape[axis] as Dim, step: stride });
}

/** `length` elements of an axis from `start` on, which may lie before the first: zeros outside. */
interface Window {
  readonly axis: number;
  readonly start: number;
  readonly length: Dim;
}

function window(x: Value, ...windows: readonly Window[]): Value {
  const margins = windows.map(({ axis, start, length }) => ({
    axis,
    before: -start,
    after: subtractSizes(addSizes(start, length), x.shape[axis] as Dim),
  }));
  return pad(x, margins);
}

function convolvedSize(
  size: Dim,
  kernel: number,
  stride: number,
  before: number,
  after: number,
): Dim | undefined {
  const steps = divideSize(addSizes(size, before + after - kernel), stride);
  return steps === undefined ? undefined : addSizes(steps, 1);
}

/**
 * 2-D convolution. x [pictures, in, height, width], weight [out, in, k, k], bias [out]
 * -> [pictures, out, height', width'] with height' = floor((height + pads - k) / stride) + 1.
 */
export function conv2d(x: Value, weight: Value, bias?: Value, options: ConvolutionOptions = {}): Value {
  expectType("convolution", x, "float32");
  const kernel = weight.shape[2];
  const describe = `${formatShape(x.shape)} by weight ${formatShape(weight.shape)}`;
  if (
    x.shape.length !== 4 ||
    weight.shape.length !== 4 ||
    typeof kernel !== "number" ||
    weight.shape[3] !== kernel
  ) {
    throw shapeError("convolution", `${describe}: expects a picture [n, in, h, w] and a square kernel`);
  }
  if (x.shape[1] !== weight.shape[1] || (bias !== undefined && bias.shape[0] !== weight.shape[0])) {
    throw shapeError("convolution", `${describe}: channels do not fit`);
  }
  const stride = options.stride ?? 1;
  const half = (kernel - 1) / 2;
  const padding = options.padding ?? { top: half, left: half, bottom: half, right: half };
  if (Object.values(padding).some((margin) => !Number.isInteger(margin) || margin < 0 || margin >= kernel)) {
    throw shapeError(
      "convolution",
      `${describe}: padding ${JSON.stringify(padding)} is not 0 to ${kernel - 1}`,
    );
  }
  const height = convolvedSize(x.shape[2] as Dim, kernel, stride, padding.top, padding.bottom);
  const width = convolvedSize(x.shape[3] as Dim, kernel, stride, padding.left, padding.right);
  if (height === undefined || width === undefined) {
    throw shapeError("convolution", `${describe}: stride ${stride} does not divide the size`);
  }
  const shape: Shape = [x.shape[0] as Dim, weight.shape[0] as Dim, height, width];
  return apply(convolutionOperator, bias === undefined ? [x, weight] : [x, weight, bias], "float32", shape, {
    kernel_shape: [kernel, kernel],
    strides: [stride, stride],
    pads: [padding.top, padding.left, padding.bottom, padding.right],
  });
}
