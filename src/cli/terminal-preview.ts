/** @file A picture in a terminal: two pixels a character cell, the upper half block in the colours of both. */
import { WriteStream } from "node:tty";
import type { RgbImage } from "../image/pixels.ts";
import type { ProgressStream } from "./progress-stream.ts";

const RESET = "\u001b[0m";

/** How a terminal is told its colours. */
export type ColorDepth = "truecolor" | "256";

/**
 * How a stream shows colours, or undefined where it gets none: it is no terminal, or the environment wants none
 * (NO_COLOR, TERM=dumb, CI systems without colours; FORCE_COLOR=1, 2 or 3 outdoes them, FORCE_COLOR=0 wants none). A
 * stream that is no terminal stays without pictures even if colours are forced: a program reads names there.
 */
export function colorDepthOf(
  { isTTY }: Pick<ProgressStream, "isTTY">,
  environment: Readonly<Record<string, string | undefined>>,
): ColorDepth | undefined {
  if (isTTY !== true) return undefined;
  const bits = WriteStream.prototype.getColorDepth(environment);
  if (bits === 1) return undefined;
  // Terminals that promise no more than 16 colours bring the 256 to the nearest they have.
  return bits === 24 ? "truecolor" : "256";
}

/** Mean colour of the pixels of a cell, [r, g, b] in 0 to 255. */
function meanColor(
  image: RgbImage,
  left: number,
  top: number,
  right: number,
  bottom: number,
): [number, number, number] {
  const sum: [number, number, number] = [0, 0, 0];
  for (let y = top; y < bottom; y++) {
    for (let x = left; x < right; x++) {
      const at = (y * image.width + x) * 3;
      sum[0] += image.data[at] ?? 0;
      sum[1] += image.data[at + 1] ?? 0;
      sum[2] += image.data[at + 2] ?? 0;
    }
  }
  const count = Math.max(1, (right - left) * (bottom - top));
  return [Math.round(sum[0] / count), Math.round(sum[1] / count), Math.round(sum[2] / count)];
}

function colorCode(layer: 38 | 48, [r, g, b]: [number, number, number], depth: ColorDepth): string {
  if (depth === "truecolor") return `\u001b[${layer};2;${r};${g};${b}m`;
  // The 6 x 6 x 6 cube of the 256-colour palette.
  const step = (value: number): number => Math.round((value / 255) * 5);
  return `\u001b[${layer};5;${16 + 36 * step(r) + 6 * step(g) + step(b)}m`;
}

/**
 * Lines of text that show the picture, at most `columns` cells wide; taller pictures take more lines.
 * @param columns width in character cells, at least 1.
 */
export function renderPreview(image: RgbImage, columns: number, depth: ColorDepth): string {
  const width = Math.max(1, Math.min(columns, image.width));
  const halfRows = Math.max(2, 2 * Math.round((width * image.height) / image.width / 2));
  const edge = (index: number, count: number, size: number): number => Math.floor((index * size) / count);
  const lines: string[] = [];
  for (let row = 0; row < halfRows; row += 2) {
    let line = "";
    for (let column = 0; column < width; column++) {
      const left = edge(column, width, image.width);
      const right = Math.max(left + 1, edge(column + 1, width, image.width));
      const color = (half: number): [number, number, number] => {
        const top = Math.min(image.height - 1, edge(half, halfRows, image.height));
        return meanColor(image, left, top, right, Math.max(top + 1, edge(half + 1, halfRows, image.height)));
      };
      line += `${colorCode(38, color(row), depth)}${colorCode(48, color(row + 1), depth)}▀`;
    }
    lines.push(line + RESET);
  }
  return lines.join("\n");
}
