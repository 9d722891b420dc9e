/**
 * @file Which size the model draws for the size that was asked for. Clients ask for 1024 x 1024 by habit; a model draws best
 * at sizes that it was trained on, and each token costs the same.
 *
 * - A native size is drawn as asked: one that the model was trained on, where its folder names them; else any of whole tokens
 *   within the bound. A bound that the operator sets makes every size of whole tokens within it native, and none beyond it.
 * - For any other size the nearest native one is drawn, by shape first and then by pixels, and stretched to what was asked
 *   (Lanczos). What was drawn is neither cropped nor padded, so that a place in the answer is the same share of the picture as
 *   in a source, and edits keep their geometry.
 * - Strict: other sizes are refused.
 */
import { InputError } from "../../errors.ts";
import type { PixelSize } from "./draw-request.ts";
import type { ServedModel } from "./served-model.ts";

/** Of a model that does not say what it was trained on: 1024 x 1024 at 16 pixels a token, the published models' largest. */
const DEFAULT_MAX_TOKENS = 4096;

/** Native sizes that a refusal names. */
const SHOWN_SIZES = 8;

export interface SizePolicyOptions {
  /** Most tokens of a picture, from 1. Default: as many as the largest size that the model was trained on, or 4096. */
  readonly maxTokens?: number;
  /** Refuses sizes that are not native. Default false. */
  readonly strict?: boolean;
}

export interface SettledSize {
  readonly native: PixelSize;
  /** Of the answer. */
  readonly asked: PixelSize;
}

/** What of a model decides its sizes. */
export type SizedModel = Pick<ServedModel, "tokenSide" | "size"> & {
  readonly trained: Pick<ServedModel["trained"], "sizes">;
};

export class SizePolicy {
  /** Most tokens of a picture. */
  readonly maxTokens: number;
  readonly #side: number;
  readonly #own: PixelSize;
  /** Sizes that the model was trained on and that the bound allows. */
  readonly #trained: readonly PixelSize[];
  /** Whether sizes that it was not trained on are native too. */
  readonly #open: boolean;
  readonly #strict: boolean;

  constructor(
    { tokenSide, size, trained }: SizedModel,
    { maxTokens, strict = false }: SizePolicyOptions = {},
  ) {
    const named = (trained.sizes ?? [])
      .map(([height, width]) => ({ width, height }))
      .filter(({ width, height }) => width % tokenSide === 0 && height % tokenSide === 0);
    this.#side = tokenSide;
    this.#strict = strict;
    this.maxTokens =
      maxTokens ??
      (named.length === 0 ? DEFAULT_MAX_TOKENS : Math.max(...named.map((own) => this.tokens(own))));
    this.#trained = named.filter((own) => this.tokens(own) <= this.maxTokens);
    this.#open = maxTokens !== undefined || named.length === 0;
    this.#own = this.tokens(size) <= this.maxTokens ? size : this.#nearest(size);
  }

  /** Tokens of a picture of whole tokens. */
  tokens({ width, height }: PixelSize): number {
    return (width / this.#side) * (height / this.#side);
  }

  /**
   * @param asked `auto`: the model's own size
   * @throws InputError where sizes that are not native are refused
   */
  settle(asked: PixelSize | "auto"): SettledSize {
    if (asked === "auto") return { native: this.#own, asked: this.#own };
    if (this.#isNative(asked)) return { native: asked, asked };
    if (this.#strict) throw this.#refusal(asked);
    return { native: this.#nearest(asked), asked };
  }

  #isNative(size: PixelSize): boolean {
    if (this.#trained.some(({ width, height }) => width === size.width && height === size.height))
      return true;
    const whole = size.width % this.#side === 0 && size.height % this.#side === 0;
    return this.#open && whole && this.tokens(size) <= this.maxTokens;
  }

  #nearest(asked: PixelSize): PixelSize {
    const [first, ...others] = this.#trained;
    if (first === undefined) return this.#wholeTokens(asked);
    // Where other sizes of whole tokens are native too, one that it was trained on still draws better than the very shape.
    return others.reduce((best, own) => (isNearer(own, best, asked) ? own : best), first);
  }

  /** The size of whole tokens that is nearest in shape, as large as the bound and the size itself allow. */
  #wholeTokens({ width, height }: PixelSize): PixelSize {
    const tokens = (width / this.#side) * (height / this.#side);
    const scale = Math.min(1, Math.sqrt(this.maxTokens / tokens)) / this.#side;
    const rounded = (pixels: number): number => Math.max(1, Math.round(pixels * scale));
    let [columns, rows] = [rounded(width), rounded(height)];
    // A long side takes what the short one, at least a token, leaves of the bound.
    if (columns * rows > this.maxTokens) {
      if (columns >= rows) columns = Math.max(1, Math.floor(this.maxTokens / rows));
      else rows = Math.max(1, Math.floor(this.maxTokens / columns));
    }
    return { width: columns * this.#side, height: rows * this.#side };
  }

  #refusal(asked: PixelSize): InputError {
    const known = this.#trained.slice(0, SHOWN_SIZES).map(sizeText).join(", ");
    const side = this.#side;
    const open = `any whole multiple of ${side} x ${side} up to ${this.maxTokens * side * side} pixels`;
    const allowed = [...(known === "" ? [] : [known]), ...(this.#open ? [open] : [])].join(", or ");
    return new InputError(`${sizeText(asked)} is not drawn`, { where: "size", remedy: `use ${allowed}` });
  }
}

function isNearer(one: PixelSize, other: PixelSize, asked: PixelSize): boolean {
  const shape = shapeDistance(one, asked) - shapeDistance(other, asked);
  // Shapes that are the same but for how logarithms round.
  if (Math.abs(shape) > 1e-9) return shape < 0;
  return pixelDistance(one, asked) < pixelDistance(other, asked);
}

function shapeDistance(one: PixelSize, other: PixelSize): number {
  return Math.abs(Math.log((one.width * other.height) / (one.height * other.width)));
}

function pixelDistance(one: PixelSize, other: PixelSize): number {
  return Math.abs(Math.log((one.width * one.height) / (other.width * other.height)));
}

function sizeText({ width, height }: PixelSize): string {
  return `${width} x ${height}`;
}
