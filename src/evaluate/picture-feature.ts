/**
 * @file A feature by which drawings of the same thing lie close: histograms of oriented gradients (Dalal and Triggs,
 * CVPR 2005) of the grey picture for shape, a 16-pixel thumbnail for colour.
 */
import type { RgbImage } from "../image/pixels.ts";

const SHAPE_SIDE = 64;
const CELL = 8;
const CELLS = SHAPE_SIDE / CELL;
const BINS = 9;
const COLOR_SIDE = 16;
/** How much the colours count against the shape, root mean square against root mean square. */
const COLOR_WEIGHT = 2;
const EPSILON = 1e-6;

/** Mean of each box of pixels, one plane a channel in 0 to 1. Works for sides that do not divide evenly. */
function shrink(image: RgbImage, side: number): Float64Array {
  const planes = new Float64Array(3 * side * side);
  for (let y = 0; y < side; y++) {
    const top = Math.floor((y * image.height) / side);
    const bottom = Math.max(top + 1, Math.floor(((y + 1) * image.height) / side));
    for (let x = 0; x < side; x++) {
      const left = Math.floor((x * image.width) / side);
      const right = Math.max(left + 1, Math.floor(((x + 1) * image.width) / side));
      for (let channel = 0; channel < 3; channel++) {
        let sum = 0;
        for (let row = top; row < bottom; row++) {
          for (let column = left; column < right; column++)
            sum += image.data[(row * image.width + column) * 3 + channel] ?? 0;
        }
        planes[channel * side * side + y * side + x] = sum / ((bottom - top) * (right - left) * 255);
      }
    }
  }
  return planes;
}

/** Scales a vector to a root mean square of `target`; an empty picture stays zero. */
function scaleToRms(vector: Float64Array, target: number): Float64Array {
  let squares = 0;
  for (const value of vector) squares += value * value;
  const factor = target / (Math.sqrt(squares / vector.length) + EPSILON);
  return vector.map((value) => value * factor);
}

/** Gradient energy by cell and direction (unsigned, two nearest bins share), each cell against its neighbours. */
function orientedGradients(image: RgbImage): Float64Array {
  const planes = shrink(image, SHAPE_SIDE);
  const area = SHAPE_SIDE * SHAPE_SIDE;
  const grey = (x: number, y: number): number => {
    const at =
      Math.min(SHAPE_SIDE - 1, Math.max(0, y)) * SHAPE_SIDE + Math.min(SHAPE_SIDE - 1, Math.max(0, x));
    return (
      0.299 * (planes[at] ?? 0) + 0.587 * (planes[area + at] ?? 0) + 0.114 * (planes[2 * area + at] ?? 0)
    );
  };
  const cells = new Float64Array(CELLS * CELLS * BINS);
  for (let y = 0; y < SHAPE_SIDE; y++) {
    for (let x = 0; x < SHAPE_SIDE; x++) {
      const dx = grey(x + 1, y) - grey(x - 1, y);
      const dy = grey(x, y + 1) - grey(x, y - 1);
      const magnitude = Math.hypot(dx, dy);
      if (magnitude === 0) continue;
      const direction = (((Math.atan2(dy, dx) / Math.PI) * BINS) % BINS) + BINS;
      const lower = Math.floor(direction);
      const share = direction - lower;
      const cell = (Math.floor(y / CELL) * CELLS + Math.floor(x / CELL)) * BINS;
      cells[cell + (lower % BINS)] = (cells[cell + (lower % BINS)] ?? 0) + magnitude * (1 - share);
      cells[cell + ((lower + 1) % BINS)] = (cells[cell + ((lower + 1) % BINS)] ?? 0) + magnitude * share;
    }
  }
  return normalizeCells(cells);
}

/** Each cell divided by the energy of the 3 x 3 cells around it, so that faint and strong outlines count alike. */
function normalizeCells(cells: Float64Array): Float64Array {
  const energy = new Float64Array(CELLS * CELLS);
  energy.forEach((_value, cell) => {
    let sum = 0;
    for (let bin = 0; bin < BINS; bin++) sum += (cells[cell * BINS + bin] ?? 0) ** 2;
    energy[cell] = sum;
  });
  return cells.map((value, index) => {
    const cell = Math.floor(index / BINS);
    const [row, column] = [Math.floor(cell / CELLS), cell % CELLS];
    let around = 0;
    for (let y = Math.max(0, row - 1); y <= Math.min(CELLS - 1, row + 1); y++) {
      for (let x = Math.max(0, column - 1); x <= Math.min(CELLS - 1, column + 1); x++)
        around += energy[y * CELLS + x] ?? 0;
    }
    return value / Math.sqrt(around + EPSILON);
  });
}

/** Shape and colour of a picture of any size, [8*8*9 + 3*16*16]; compare with {@link featureDistance}. */
export function pictureFeature(image: RgbImage): Float64Array {
  const shape = scaleToRms(orientedGradients(image), 1);
  const color = scaleToRms(
    shrink(image, COLOR_SIDE).map((value) => value - 0.5),
    COLOR_WEIGHT,
  );
  const feature = new Float64Array(shape.length + color.length);
  feature.set(shape);
  feature.set(color, shape.length);
  return feature;
}

/** Squared distance between two features. */
export function featureDistance(a: Float64Array, b: Float64Array): number {
  let sum = 0;
  for (let index = 0; index < a.length; index++) {
    const difference = (a[index] ?? 0) - (b[index] ?? 0);
    sum += difference * difference;
  }
  return sum;
}
