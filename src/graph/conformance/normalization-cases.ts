/** @file Cases of the normalisations and of rotary position embedding. */
import { groupNorm, layerNorm, rmsNorm } from "../operators/normalization.ts";
import { rotary } from "../operators/rotary.ts";
import type { CaseGenerator } from "./operator-case.ts";
import { at, generate, sumOver, type Tensor64 } from "./tensor64.ts";

const EPSILON = Math.fround(1e-5);

/** Elements to mean 0 and variance 1. */
function standardized(elements: readonly number[]): number[] {
  const mean = elements.reduce((a, b) => a + b, 0) / elements.length;
  const variance = elements.reduce((total, x) => total + (x - mean) ** 2, 0) / elements.length;
  return elements.map((x) => (x - mean) / Math.sqrt(variance + EPSILON));
}

/** Each run of `length` consecutive elements standardized. */
function standardizedRuns({ shape, data }: Tensor64, length: number): Tensor64 {
  const result: number[] = [];
  for (let start = 0; start < data.length; start += length) {
    result.push(...standardized(data.slice(start, start + length)));
  }
  return { shape, data: result };
}

export const normalizationCases: Readonly<Record<string, CaseGenerator>> = {
  rmsNorm: (draw) => {
    const width = draw.axis(1, 6);
    const x = draw.operand([...draw.axes(1, 3), width]);
    const weight = draw.operand([width]);
    return draw.finish(rmsNorm(x.value, weight.value, EPSILON), (tensor, factors) =>
      generate(tensor.shape, (index) => {
        const square = sumOver(width.size, (j) => at(tensor, index.with(-1, j)) ** 2) / width.size;
        return (at(tensor, index) / Math.sqrt(square + EPSILON)) * at(factors, [index.at(-1) as number]);
      }),
    );
  },
  layerNorm: (draw) => {
    const width = draw.known(draw.integer(2, 6));
    const x = draw.operand([...draw.axes(1, 3), width]);
    const weight = draw.flip() ? draw.operand([width]) : undefined;
    const bias = weight !== undefined && draw.flip() ? draw.operand([width]) : undefined;
    const value = layerNorm(x.value, EPSILON, weight?.value, bias?.value);
    return draw.finish(value, (tensor, factors, offsets) => {
      const normal = standardizedRuns(tensor, width.size);
      return generate(tensor.shape, (index) => {
        const channel = [index.at(-1) as number];
        const scaled = at(normal, index) * (factors === undefined ? 1 : at(factors, channel));
        return scaled + (offsets === undefined ? 0 : at(offsets, channel));
      });
    });
  },
  groupNorm: (draw) => {
    const groups = draw.integer(1, 3);
    const each = draw.integer(1, 3);
    const channels = draw.known(groups * each);
    const x = draw.operand([draw.axis(1, 3), channels, draw.axis(2, 4), draw.axis(2, 4)]);
    const weight = draw.operand([channels]);
    const bias = draw.operand([channels]);
    const value = groupNorm(x.value, groups, weight.value, bias.value, EPSILON);
    return draw.finish(value, (tensor, factors, offsets) => {
      const [, , height, width] = tensor.shape as [number, number, number, number];
      const normal = standardizedRuns(tensor, each * height * width);
      return generate(tensor.shape, (index) => {
        const channel = [index[1] as number];
        return at(normal, index) * at(factors, channel) + at(offsets, channel);
      });
    });
  },
  rotary: (draw) => {
    const half = draw.integer(1, 4);
    const [batch, heads, tokens] = [draw.axis(1, 3), draw.axis(1, 3), draw.axis(1, 4)];
    const places = draw.integer(4, 6);
    const x = draw.operand([batch, heads, tokens, draw.known(2 * half)]);
    const positions = draw.indices([batch, tokens], places);
    // A rotation needs the cosine and sine of one angle; tables of any numbers test more than that.
    const table = [draw.known(places), draw.known(half)];
    const cosines = draw.fixed(table, () => draw.number(-1, 1));
    const sines = draw.fixed(table, () => draw.number(-1, 1));
    const value = rotary(x.value, positions.value, cosines.value, sines.value);
    return draw.finish(value, (tensor, place, cosine, sine) =>
      generate(tensor.shape, (index) => {
        const [row, , token, channel] = index as [number, number, number, number];
        const angle = [at(place, [row, token]), channel % half];
        const isFirst = channel < half;
        const partner = at(tensor, index.with(-1, isFirst ? channel + half : channel - half));
        return at(tensor, index) * at(cosine, angle) + (isFirst ? -partner : partner) * at(sine, angle);
      }),
    );
  },
};
