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
  type Operator,
  type OperatorNode,
  requiredInput,
  shapeError,
  type Value,
} from "../value.ts";
import { concat, pad, reshape, reverse, slice, transpose } from "./layout.ts";
import { matmul } from "./matmul.ts";
import { reduceSum } from "./reduce.ts";

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
  onnx: { type: "Conv" },
  gradient: (node, [gradient]) => {
    if (gradient === undefined) return [];
    const x = requiredInput(node, 0);
    const weight = requiredInput(node, 1);
    const geometry = geometryOf(node);
    const dx =
      geometry.kernel === 1 ? pointwiseInput(gradient, weight) : inputGradient(x, weight, gradient, geometry);
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
const transposedOperator: Operator = { name: "transposedConvolution", onnx: { type: "ConvTranspose" } };

/**
 * dW as kernel x kernel products of dY with shifted views of x, summed over pictures: no im2col copy.
 * x [n, in, h, w], gradient [n, out, h', w'] -> [out, in, kernel, kernel].
 */
function weightGradient(
  x: Value,
  weight: Value,
  gradient: Value,
  { kernel, stride, padding }: Geometry,
): Value {
  const [pictures, , outHeight, outWidth] = gradient.shape as [Dim, Dim, Dim, Dim];
  const [outChannels, inChannels] = weight.shape as [Dim, Dim];
  const padded = pad(pad(x, 2, padding.top, padding.bottom), 3, padding.left, padding.right);
  const product = (view: Value, flatGradient: Value): Value =>
    reduceSum(matmul(flatGradient, view, { transB: true }), [0]); // [out, in]
  const parts: Value[] = [];
  if (kernel === 1) {
    const positions = multiplySizes(outHeight, outWidth);
    const flat = reshape(gradient, [pictures, outChannels, positions]);
    return reshape(product(reshape(x, [pictures, inChannels, positions]), flat), weight.shape);
  }
  if (stride === 1) {
    // With dY widened by kernel-1 zero columns both pictures have the same row length, so that the shift (i, j) is
    // one contiguous run of the flattened picture. The last row's zero columns would reach past its end: one row of
    // zeros more below.
    const rowLength = addSizes(outWidth, kernel - 1);
    const wide = pad(gradient, 3, 0, kernel - 1);
    const run = multiplySizes(outHeight, rowLength);
    const flatGradient = reshape(wide, [pictures, outChannels, run]);
    const tall = pad(padded, 2, 0, 1);
    const tallHeight = tall.shape[2] as Dim;
    const flat = reshape(tall, [pictures, inChannels, multiplySizes(tallHeight, rowLength)]);
    for (let i = 0; i < kernel; i++) {
      for (let j = 0; j < kernel; j++) {
        const start = addSizes(multiplySizes(i, rowLength), j);
        parts.push(product(slice(flat, { axis: 2, start, end: addSizes(start, run) }), flatGradient));
      }
    }
  } else {
    const positions = multiplySizes(outHeight, outWidth);
    const flatGradient = reshape(gradient, [pictures, outChannels, positions]);
    for (let i = 0; i < kernel; i++) {
      for (let j = 0; j < kernel; j++) {
        const rows = everySecond(padded, 2, i, outHeight, stride);
        const view = everySecond(rows, 3, j, outWidth, stride);
        parts.push(product(reshape(view, [pictures, inChannels, positions]), flatGradient));
      }
    }
  }
  const stacked = concat(
    parts.map((part) => reshape(part, [outChannels, inChannels, 1])),
    2,
  );
  return reshape(stacked, weight.shape);
}

/** `count` elements of an axis from `start`, every `stride`-th, by a reshape: works for symbolic sizes. */
function everySecond(x: Value, axis: number, start: number, count: Dim, stride: number): Value {
  const span = multiplySizes(count, stride);
  const available = subtractSizes(x.shape[axis] as Dim, start);
  const missing = subtractSizes(span, available);
  const widened = typeof missing === "number" && missing > 0 ? pad(x, axis, 0, missing) : x;
  const run = slice(widened, { axis, start, end: addSizes(start, span) });
  const before = run.shape.slice(0, axis);
  const after = run.shape.slice(axis + 1);
  const pairs = reshape(run, [...before, count, stride, ...after]);
  const first = slice(pairs, { axis: axis + 1, start: 0, end: 1 });
  return reshape(first, [...before, count, ...after]);
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
