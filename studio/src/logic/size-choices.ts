/** @file Sizes to choose from: those that the model was trained on first, then usual shapes of about as many cells. */
import { ASPECT_NAMES, namedSize } from "../../../src/image/aspect-buckets.ts";
import type { Capabilities, SizeText } from "../api/answers.ts";
import { parseSize, shownSize, sizeText } from "./grid.ts";

export interface SizeChoice {
  readonly value: SizeText;
  readonly label: string;
  readonly trained: boolean;
}

/** The table of shapes is made for image sizes that this divides. */
const TABLE_STEP = 16;

export function sizeChoices({
  size,
  sizes,
  tokenSide,
}: Pick<Capabilities, "size" | "sizes" | "tokenSide">): readonly SizeChoice[] {
  const trained = sizes.length > 0 ? sizes : [size];
  const known = new Set<string>(trained);
  const own = parseSize(size);
  const base = Math.round(Math.sqrt(own.width * own.height) / TABLE_STEP) * TABLE_STEP;
  const others = new Map<SizeText, SizeChoice>();
  for (const name of ASPECT_NAMES) {
    const [height, width] = namedSize(name, Math.max(TABLE_STEP, base), tokenSide);
    const value = sizeText({ width, height });
    if (known.has(value) || others.has(value)) continue;
    others.set(value, { value, label: `${shownSize({ width, height })}, ${name}`, trained: false });
  }
  return [
    ...trained.map((value) => ({ value, label: `${labelOf(value)}`, trained: true })),
    ...others.values(),
  ];
}

function labelOf(value: SizeText): string {
  const { width, height } = parseSize(value);
  const shape = width === height ? "square" : width > height ? "wide" : "tall";
  return `${shownSize({ width, height })}, ${shape}`;
}
