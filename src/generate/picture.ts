/** @file A drawn picture: pixels, what they were decoded from, and the recipe that repeats it. */
import { formatParameters, PARAMETERS_KEYWORD } from "../formats/a1111.ts";
import { setPngTexts } from "../formats/png-text.ts";
import { replaceFile } from "../formats/replacement-file.ts";
import { XMP_KEYWORD, xmpPacket } from "../formats/xmp.ts";
import { writePng } from "../image/encode-png.ts";
import type { RgbImage } from "../image/pixels.ts";
import type { Grid } from "../sequence/segments.ts";
import { RECIPE_KEYWORD, type Recipe } from "./recipe.ts";

export class Picture {
  readonly pixels: RgbImage;
  readonly recipe: Recipe;
  /** Rows and columns in tokens. */
  readonly grid: Grid;
  /** What the model drew, [rows * columns, 64]. */
  readonly tokens: Float32Array;
  /** What the decoder was given, [channels, h, w]. */
  readonly latents: Float32Array;
  readonly latentShape: readonly [channels: number, height: number, width: number];
  /** The picture before it was clamped and rounded, about [-1, 1], [3, H, W]. */
  readonly planes: Float32Array;

  constructor(parts: {
    pixels: RgbImage;
    recipe: Recipe;
    grid: Grid;
    tokens: Float32Array;
    latents: Float32Array;
    latentShape: readonly [number, number, number];
    planes: Float32Array;
  }) {
    this.pixels = parts.pixels;
    this.recipe = parts.recipe;
    this.grid = parts.grid;
    this.tokens = parts.tokens;
    this.latents = parts.latents;
    this.latentShape = parts.latentShape;
    this.planes = parts.planes;
  }

  get prompt(): string {
    return this.recipe.prompt;
  }

  get seed(): number {
    return this.recipe.seed;
  }

  /** A PNG file with the recipe in it: for galleries (`parameters`), for this package, and the mark of a generated picture. */
  toPng(): Uint8Array {
    const { recipe } = this;
    return setPngTexts(writePng(this.pixels), [
      { keyword: PARAMETERS_KEYWORD, text: parametersText(recipe) },
      { keyword: RECIPE_KEYWORD, text: JSON.stringify(recipe), kind: "iTXt" },
      {
        keyword: XMP_KEYWORD,
        text: xmpPacket(
          recipe.images === undefined ? "trainedAlgorithmicMedia" : "compositeWithTrainedAlgorithmicMedia",
        ),
        kind: "iTXt",
      },
    ]);
  }

  /** Writes {@link toPng}; the file appears whole or not at all. Its folder is made if need be. */
  async save(path: string): Promise<void> {
    await replaceFile(path, (file) => file.write(this.toPng()));
  }
}

function parametersText({ prompt, seed, width, height, model, settings }: Recipe): string {
  const { positive, negative, cfg, cfgImg, cfgSchedule, steps, shift, sampler } = settings;
  return formatParameters({
    prompt: positive === "" ? prompt : `${prompt} ${positive}`,
    negativePrompt: negative,
    settings: new Map([
      ["Steps", String(steps)],
      ["Sampler", sampler],
      ["CFG scale", String(cfg)],
      ["Image CFG scale", String(cfgImg)],
      ["CFG schedule", cfgSchedule],
      ["Shift", String(shift)],
      ["Seed", String(seed)],
      ["Size", `${width}x${height}`],
      ["Model", model],
    ]),
  });
}
