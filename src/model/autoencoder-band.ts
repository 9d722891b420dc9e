/**
 * @file One band of rows of a pass of the autoencoder (autoencoder-passes.ts): the layers of autoencoder.ts where group
 * statistics are given, and those of the result are taken.
 */
import { reduceSum } from "../graph/operators/broadcast.ts";
import { conv2d } from "../graph/operators/convolution.ts";
import { add, div, mul, silu, sub } from "../graph/operators/elementwise.ts";
import { concat, slice } from "../graph/operators/layout.ts";
import { matmul } from "../graph/operators/matmul.ts";
import { sizeAsNumber } from "../graph/operators/reduce.ts";
import { upsample } from "../graph/operators/resample.ts";
import { reshape } from "../graph/operators/reshape.ts";
import { softmax } from "../graph/operators/softmax.ts";
import { type Dim, multiplySizes, subtractSizes } from "../graph/size.ts";
import { input, type Value } from "../graph/value.ts";
import { conv } from "./autoencoder.ts";
import type { AutoencoderPass } from "./autoencoder-passes.ts";
import type { ParameterScope } from "./parameter-scope.ts";

/** Left and right of a picture there are zeros; above and below a band stand its neighbours' rows. */
const SIDES = Object.freeze({ top: 0, bottom: 0, left: 1, right: 1 });

/** What a band of a pass gives; of `y` also the statistics, unless nothing normalises it. */
export interface Band {
  readonly y: Value;
  /** Through the 1 x 1 convolution. */
  readonly shortcut?: Value;
  /** Of each channel of the band. [c] */
  readonly means?: Value;
  /** Sum of the squared distances from it. [c] */
  readonly squares?: Value;
}

/**
 * Inputs, by name:
 * - `x` [1, inputs, fed, width]: the band's rows with one row of context above and below, zeros beyond the picture. `keys`
 *   and `attend` need none; `downsample` takes [1, inputs, 2 rows, 2 width] with `below` [1, inputs, 1, 2 width]
 * - `mean` and `inverse` [inputs]: of x, mean and 1 / standard deviation of each channel's group
 * - `inside` [fed]: 1 for rows of the picture and 0 for those beyond it
 * - `kept` [1, outputs, fed - 2, width]: what a closing adds to
 * - `key` and `value` [1, inputs, positions]: of all the picture
 */
export function bandOfPass(scope: ParameterScope, pass: AutoencoderPass): Band {
  const { kind, name, inputs, outputs } = pass;
  if (kind === "downsample") return measured(downsampled(scope, pass));
  const x = input("x", "float32", [1, inputs, "fed", "width"]);
  switch (kind) {
    case "conv":
      return measured(conv(scope, name, x, outputs, 3, SIDES));
    case "upsample": {
      const doubled = upsample(x); // [1, inputs, 2 fed, 2 width]: two rows of context, of which one is needed
      const end = subtractSizes(doubled.shape[2] as Dim, 1);
      return measured(conv(scope, name, slice(doubled, { axis: 2, start: 1, end }), outputs, 3, SIDES));
    }
    case "open": {
      const normal = silu(normalized(scope, `${name}.norm1`, x, true));
      const first = measured(conv(scope, `${name}.conv1`, normal, outputs, 3, SIDES));
      if (inputs === outputs) return first;
      return { ...first, shortcut: conv(scope, `${name}.nin_shortcut`, own(x), outputs, 1) };
    }
    case "close": {
      const normal = silu(normalized(scope, `${name}.norm2`, x, true));
      const second = conv(scope, `${name}.conv2`, normal, outputs, 3, SIDES);
      return measured(add(input("kept", "float32", second.shape), second));
    }
    case "keys": {
      const normal = normalized(scope, `${name}.norm`, x, false);
      return {
        y: concat(
          [conv(scope, `${name}.k`, normal, inputs, 1), conv(scope, `${name}.v`, normal, inputs, 1)],
          1,
        ),
      };
    }
    case "attend":
      return measured(attended(scope, name, x));
    case "end": {
      const normal = silu(normalized(scope, `${name}.norm_out`, x, true));
      return { y: conv(scope, `${name}.conv_out`, normal, outputs, 3, SIDES) };
    }
  }
}

/** A band without its context. */
function own(x: Value): Value {
  return slice(x, { axis: 2, start: 1, end: subtractSizes(x.shape[2] as Dim, 1) });
}

/** A factor and an offset a channel; rows beyond the picture, given as zeros, stay zeros. */
function normalized(scope: ParameterScope, name: string, x: Value, context: boolean): Value {
  const [, channels, fed] = x.shape as [Dim, number, Dim];
  const [mean, inverse] = ["mean", "inverse"].map((statistic) => input(statistic, "float32", [channels])) as [
    Value,
    Value,
  ];
  const factor = mul(scope.get(`${name}.weight`, [channels]), inverse); // [c]
  const offset = sub(scope.get(`${name}.bias`, [channels]), mul(mean, factor)); // [c]
  const ofRows = reshape(offset, [1, channels, 1, 1]);
  const offsets = context ? mul(ofRows, reshape(input("inside", "float32", [fed]), [1, 1, fed, 1])) : ofRows;
  return add(mul(x, reshape(factor, [1, channels, 1, 1])), offsets);
}

function attended(scope: ParameterScope, name: string, x: Value): Value {
  const [, channels, rows, width] = x.shape as [Dim, number, Dim, Dim];
  const [key, value] = ["key", "value"].map((part) => input(part, "float32", [1, channels, "positions"])) as [
    Value,
    Value,
  ];
  const normal = normalized(scope, `${name}.norm`, x, false);
  const query = reshape(conv(scope, `${name}.q`, normal, channels, 1), [
    1,
    channels,
    multiplySizes(rows, width),
  ]);
  const scores = matmul(query, key, { transA: true, alpha: 1 / Math.sqrt(channels) }); // [1, band, positions]
  const mixed = matmul(value, softmax(scores), { transB: true }); // [1, c, band]
  return add(x, conv(scope, `${name}.proj_out`, reshape(mixed, x.shape), channels, 1));
}

function downsampled(scope: ParameterScope, { name, inputs, outputs }: AutoencoderPass): Value {
  const x = input("x", "float32", [1, inputs, "2*rows", "2*width"]);
  const below = input("below", "float32", [1, inputs, 1, "2*width"]);
  const weight = scope.get(`${name}.weight`, [outputs, inputs, 3, 3]);
  return conv2d(concat([x, below], 2), weight, scope.get(`${name}.bias`, [outputs]), {
    stride: 2,
    padding: { top: 0, left: 0, bottom: 0, right: 1 },
  });
}

/** Two passes over the band, the second about its mean: a difference of large sums would lose digits. */
function measured(y: Value): Band {
  const [, channels, rows, width] = y.shape as [Dim, number, Dim, Dim];
  const count = multiplySizes(rows, width);
  const flat = reshape(y, [channels, count]);
  const mean = div(reduceSum(flat, [1], { keepDims: true }), sizeAsNumber(count)); // [c, 1]
  const centred = reshape(sub(flat, mean), [channels, 1, count]);
  const squares = matmul(centred, centred, { transB: true }); // [c, 1, 1]
  return { y, means: reshape(mean, [channels]), squares: reshape(squares, [channels]) };
}
