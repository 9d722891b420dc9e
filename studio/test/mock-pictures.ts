/** @file Pictures of the stand-in server: a colour a cell, from the seed, so that every one of them can be told. */
import { createHash } from "node:crypto";
import { nodeZlib } from "../../src/files/zlib.ts";
import { encodePng } from "../../src/image/encode-png.ts";

export const CELL = 16;
const NEUTRAL = [128, 128, 128] as const;

export interface MockPicture {
  readonly width: number;
  readonly height: number;
  /** A colour a cell, row-major. */
  readonly cells: readonly (readonly [number, number, number])[];
}

/** A disc on a ground, both by the prompt's and the seed's digest, with some unrest so that each cell shows. */
export function mockPicture(prompt: string, seed: number, width: number, height: number): MockPicture {
  const digest = createHash("sha256").update(`${prompt} ${seed}`).digest();
  const [columns, rows] = [Math.ceil(width / CELL), Math.ceil(height / CELL)];
  const colour = (at: number): [number, number, number] => [
    digest[at] as number,
    digest[at + 1] as number,
    digest[at + 2] as number,
  ];
  const [disc, ground] = [colour(0), colour(3).map((part) => 160 + (part >> 2)) as [number, number, number]];
  const cells = Array.from({ length: columns * rows }, (_, index): [number, number, number] => {
    const [row, column] = [Math.floor(index / columns), index % columns];
    const distance = Math.hypot((row + 0.5) / rows - 0.5, (column + 0.5) / columns - 0.5);
    const unrest = ((digest[(index * 7) % 32] as number) % 24) - 12;
    return (distance < 0.34 ? disc : ground).map((part) => Math.max(0, Math.min(255, part + unrest))) as [
      number,
      number,
      number,
    ];
  });
  return { width, height, cells };
}

/** The first rows of a picture as PNG, grey below. */
export async function pngOf(
  { width, height, cells }: MockPicture,
  rows = Number.POSITIVE_INFINITY,
): Promise<Buffer> {
  const columns = Math.ceil(width / CELL);
  const data = new Uint8Array(3 * width * height);
  for (let y = 0; y < height; y++) {
    const row = Math.floor(y / CELL);
    for (let x = 0; x < width; x++) {
      const colour = row < rows ? (cells[row * columns + Math.floor(x / CELL)] ?? NEUTRAL) : NEUTRAL;
      data.set(colour, 3 * (y * width + x));
    }
  }
  return Buffer.from(await encodePng({ width, height, data }, nodeZlib));
}
