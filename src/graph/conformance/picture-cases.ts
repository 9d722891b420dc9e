/** @file Cases of the operators on pictures: convolution, doubling and halving. */
import { conv2d } from "../operators/convolution.ts";
import { pixelShuffle, pixelUnshuffle } from "../operators/pixel-shuffle.ts";
import { averagePool, upsample } from "../operators/resample.ts";
import type { Axis, CaseDraw, CaseGenerator, OperatorCase } from "./operator-case.ts";
import { at, atOrZero, generate, sumIndices } from "./tensor64.ts";

/** Sides that a convolution of the stride accepts: with stride 2, symbolic sides must be even. */
function side(draw: CaseDraw, stride: number, kernel: number): Axis {
  if (stride === 1) return draw.axis(kernel, 5);
  return draw.flip() ? draw.evenAxis(2, 3) : draw.known(draw.integer(kernel, 6));
}

/** Convolution in `groups` groups of `inside` input and `outside` output channels. */
function convolutionCase(
  draw: CaseDraw,
  kernel: number,
  [groups, inside, outside]: readonly [number, number, number],
): OperatorCase {
  const stride = draw.pick([1, 2] as const);
  const pictures = draw.axis(1, 3);
  const x = draw.operand([
    pictures,
    draw.known(groups * inside),
    side(draw, stride, kernel),
    side(draw, stride, kernel),
  ]);
  const weight = draw.operand([groups * outside, inside, kernel, kernel].map((size) => draw.known(size)));
  const bias = draw.flip() ? draw.operand([draw.known(groups * outside)]) : undefined;
  const half = (kernel - 1) / 2;
  const margin = (): number => draw.integer(0, kernel - 1);
  const padding = draw.pick([
    undefined,
    { top: 0, left: 0, bottom: kernel - 1 && 1, right: kernel - 1 && 1 },
    { top: margin(), left: margin(), bottom: margin(), right: margin() },
  ]);
  const { top, left, bottom, right } = padding ?? { top: half, left: half, bottom: half, right: half };
  const value = conv2d(x.value, weight.value, bias?.value, {
    stride,
    groups,
    ...(padding === undefined ? {} : { padding }),
  });
  return draw.finish(value, (input, filter, offset) => {
    const [count, , height, width] = input.shape as [number, number, number, number];
    const outHeight = Math.floor((height + top + bottom - kernel) / stride) + 1;
    const outWidth = Math.floor((width + left + right - kernel) / stride) + 1;
    return generate([count, groups * outside, outHeight, outWidth], (index) => {
      const [picture, channel, row, column] = index as [number, number, number, number];
      const first = inside * Math.floor(channel / outside);
      const total = sumIndices([inside, kernel, kernel], (tap) => {
        const [from, i, j] = tap as [number, number, number];
        const place = [picture, first + from, stride * row + i - top, stride * column + j - left];
        return at(filter, [channel, from, i, j]) * atOrZero(input, place);
      });
      return total + (offset === undefined ? 0 : at(offset, [channel]));
    });
  });
}

export const pictureCases: Readonly<Record<string, CaseGenerator>> = {
  conv2d: (draw) => {
    const kind = draw.pick(["plain", "grouped", "depthwise"] as const);
    if (kind === "plain") {
      return convolutionCase(draw, draw.pick([1, 3, 3]), [1, draw.integer(1, 5), draw.integer(1, 5)]);
    }
    if (kind === "depthwise") return convolutionCase(draw, draw.pick([1, 3, 5]), [draw.integer(2, 5), 1, 1]);
    return convolutionCase(draw, draw.pick([1, 3]), [
      draw.integer(2, 3),
      draw.integer(1, 3),
      draw.integer(1, 3),
    ]);
  },
  upsample: (draw) => {
    const x = draw.operand([draw.axis(1, 3), draw.axis(1, 3), draw.axis(1, 4), draw.axis(1, 4)]);
    return draw.finish(upsample(x.value), (tensor) => {
      const [count, channels, height, width] = tensor.shape as [number, number, number, number];
      return generate([count, channels, 2 * height, 2 * width], (index) =>
        at(
          tensor,
          index.map((place, axis) => (axis < 2 ? place : Math.floor(place / 2))),
        ),
      );
    });
  },
  pixelShuffle: (draw) => {
    const factor = draw.integer(1, 3);
    const channels = draw.known(factor ** 2 * draw.integer(1, 3));
    const x = draw.operand([draw.axis(1, 3), channels, draw.axis(1, 4), draw.axis(1, 4)]);
    return draw.finish(pixelShuffle(x.value, factor), (tensor) => {
      const [count, inputs, height, width] = tensor.shape as [number, number, number, number];
      const shape = [count, inputs / factor ** 2, factor * height, factor * width];
      return generate(shape, (index) => {
        const [picture, channel, row, column] = index as [number, number, number, number];
        const from = (channel * factor + (row % factor)) * factor + (column % factor);
        return at(tensor, [picture, from, Math.floor(row / factor), Math.floor(column / factor)]);
      });
    });
  },
  pixelUnshuffle: (draw) => {
    const x = draw.operand([draw.axis(1, 3), draw.axis(1, 3), draw.evenAxis(1, 3), draw.evenAxis(1, 3)]);
    return draw.finish(pixelUnshuffle(x.value, 2), (tensor) => {
      const [count, channels, height, width] = tensor.shape as [number, number, number, number];
      return generate([count, 4 * channels, height / 2, width / 2], (index) => {
        const [picture, channel, row, column] = index as [number, number, number, number];
        const [i, j] = [Math.floor((channel % 4) / 2), channel % 2];
        return at(tensor, [picture, Math.floor(channel / 4), 2 * row + i, 2 * column + j]);
      });
    });
  },
  averagePool: (draw) => {
    const x = draw.operand([draw.axis(1, 3), draw.axis(1, 3), draw.evenAxis(1, 3), draw.evenAxis(1, 3)]);
    return draw.finish(averagePool(x.value), (tensor) => {
      const [count, channels, height, width] = tensor.shape as [number, number, number, number];
      return generate([count, channels, height / 2, width / 2], (index) => {
        const [picture, channel, row, column] = index as [number, number, number, number];
        const total = sumIndices([2, 2], (tap) => {
          const [i, j] = tap as [number, number];
          return at(tensor, [picture, channel, 2 * row + i, 2 * column + j]);
        });
        return total / 4;
      });
    });
  },
};
