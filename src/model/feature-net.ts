/**
 * @file A small classification net (EfficientNet-lite: inverted residual blocks): how alike two pictures look to it
 * says more than how near their pixels are. Its inner features train the autoencoder; what its classifier would be
 * given measures drawings.
 */
import { clamp } from "../graph/operators/clamp.ts";
import { conv2d, type Padding } from "../graph/operators/convolution.ts";
import { add, scale, shift } from "../graph/operators/elementwise.ts";
import { reduceMean } from "../graph/operators/reduce.ts";
import { shapeError, type Value } from "../graph/value.ts";
import type { ParameterScope } from "./parameter-scope.ts";

/** A block: 1 x 1 to `expand` times as many channels, depthwise, 1 x 1 to `channels`. */
export interface FeatureBlock {
  readonly expand: number;
  readonly kernel: 3 | 5;
  readonly stride: 1 | 2;
  readonly channels: number;
}

export interface FeatureNetConfig {
  /** Channels of the first convolution, 3 x 3 of stride 2. */
  readonly stem: number;
  readonly blocks: readonly FeatureBlock[];
  /** Numbers of the blocks whose outputs are the features. */
  readonly taps: readonly number[];
  /** Channels of the 1 x 1 convolution behind the blocks, whose means over all places the classifier is given. */
  readonly head?: number;
}

const repeated = (count: number, first: FeatureBlock): FeatureBlock[] =>
  Array.from({ length: count }, (_, index) => (index === 0 ? first : { ...first, stride: 1 }));

/** EfficientNet-lite0 up to stride 16, with features at strides 2, 4, 8 and 16. */
export const LITE0: FeatureNetConfig = {
  stem: 32,
  blocks: [
    ...repeated(1, { expand: 1, kernel: 3, stride: 1, channels: 16 }),
    ...repeated(2, { expand: 6, kernel: 3, stride: 2, channels: 24 }),
    ...repeated(2, { expand: 6, kernel: 5, stride: 2, channels: 40 }),
    ...repeated(3, { expand: 6, kernel: 3, stride: 2, channels: 80 }),
    ...repeated(3, { expand: 6, kernel: 5, stride: 1, channels: 112 }),
  ],
  taps: [0, 2, 4, 10],
};

/** All of EfficientNet-lite0 but its classifier, for {@link pooledFeatures}: stride 32 and 1,280 features. */
export const LITE0_POOLED = {
  ...LITE0,
  blocks: [
    ...LITE0.blocks,
    ...repeated(4, { expand: 6, kernel: 5, stride: 2, channels: 192 }),
    ...repeated(1, { expand: 6, kernel: 3, stride: 1, channels: 320 }),
  ],
  taps: [],
  head: 1280,
} satisfies FeatureNetConfig;

/** Of pixels in 0 to 255, as the net was trained. */
const PIXEL_MEAN = 127;
const PIXEL_DEVIATION = 128;

/** A convolution of the net with the normalisation behind it folded in: where both stand in the published file. */
export interface FeatureLayer {
  /** Name in graphs. */
  readonly name: string;
  readonly convolution: string;
  readonly normalization: string;
  /** Of the weight: [out, in / groups, k, k]. */
  readonly shape: readonly [number, number, number, number];
}

/** The layers in order, under the names of the published file. */
export function featureLayers({ stem, blocks, head }: FeatureNetConfig): FeatureLayer[] {
  const layers: FeatureLayer[] = [
    { name: "features.stem", convolution: "_conv_stem", normalization: "_bn0", shape: [stem, 3, 3, 3] },
  ];
  let channels = stem;
  for (const [index, block] of blocks.entries()) {
    const inner = channels * block.expand;
    const layer = (part: string, norm: number, shape: FeatureLayer["shape"]): FeatureLayer => ({
      name: `features.${index}.${part}`,
      convolution: `_blocks.${index}._${part}_conv`,
      normalization: `_blocks.${index}._bn${norm}`,
      shape,
    });
    if (block.expand !== 1) layers.push(layer("expand", 0, [inner, channels, 1, 1]));
    layers.push(
      layer("depthwise", 1, [inner, 1, block.kernel, block.kernel]),
      layer("project", 2, [block.channels, inner, 1, 1]),
    );
    channels = block.channels;
  }
  if (head !== undefined) {
    layers.push({
      name: "features.head",
      convolution: "_conv_head",
      normalization: "_bn1",
      shape: [head, channels, 1, 1],
    });
  }
  return layers;
}

/** "Same" padding as TensorFlow has it: at stride 2 of an even side, one pixel less before than after. */
function samePadding(kernel: number, stride: 1 | 2): Padding {
  const total = kernel - stride;
  const before = Math.floor(total / 2);
  return { top: before, left: before, bottom: total - before, right: total - before };
}

/** A net in a graph: its convolutions by name, and what comes out of each block. */
interface Net {
  convolve(x: Value, name: string, stride: 1 | 2): Value;
  readonly outputs: readonly Value[];
}

const activate = (x: Value): Value => clamp(x, 0, 6);

/**
 * The features of pictures.
 * @param pixels [pictures, 3, height, width] in [-1, 1], sides being multiples of the last stride.
 * @returns one value for each tap: [pictures, channels, height', width'].
 */
export function featureMaps(scope: ParameterScope, config: FeatureNetConfig, pixels: Value): Value[] {
  const { outputs } = runBlocks(scope, config, pixels);
  return config.taps.map((tap) => outputs[tap]!);
}

/**
 * What the net's classifier would be given: the last convolution's channels, each as its mean over all places.
 * @param pixels [pictures, 3, height, width] in [-1, 1], sides being multiples of the last stride.
 * @returns [pictures, head], from 0 to 6.
 */
export function pooledFeatures(
  scope: ParameterScope,
  config: FeatureNetConfig & { readonly head: number },
  pixels: Value,
): Value {
  const { convolve, outputs } = runBlocks(scope, config, pixels);
  return reduceMean(activate(convolve(outputs.at(-1)!, "features.head", 1)), [2, 3]);
}

function runBlocks(scope: ParameterScope, config: FeatureNetConfig, pixels: Value): Net {
  const layers = new Map(featureLayers(config).map((layer) => [layer.name, layer]));
  const convolve = (x: Value, name: string, stride: 1 | 2): Value => {
    const { shape } = layers.get(name)!;
    const [outputs, inside, kernel] = shape;
    const inputs = x.shape[1] as number;
    if (inputs % inside !== 0) throw shapeError(name, `${inputs} channels do not fit [${shape}]`);
    const weight = scope.get(`${name}.weight`, shape);
    const bias = scope.get(`${name}.bias`, [outputs]);
    return conv2d(x, weight, bias, {
      stride,
      groups: inputs / inside,
      padding: samePadding(kernel, stride),
    });
  };
  // 127.5 + 127.5 p is the pixel.
  const input = shift(scale(pixels, 127.5 / PIXEL_DEVIATION), (127.5 - PIXEL_MEAN) / PIXEL_DEVIATION);
  let x = activate(convolve(input, "features.stem", 2));
  const outputs: Value[] = [];
  for (const [index, block] of config.blocks.entries()) {
    const name = `features.${index}`;
    const expanded = block.expand === 1 ? x : activate(convolve(x, `${name}.expand`, 1));
    const filtered = activate(convolve(expanded, `${name}.depthwise`, block.stride));
    const projected = convolve(filtered, `${name}.project`, 1);
    x = block.stride === 1 && x.shape[1] === block.channels ? add(x, projected) : projected;
    outputs.push(x);
  }
  return { convolve, outputs };
}
