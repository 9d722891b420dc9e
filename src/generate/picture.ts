/** @file A drawn picture: pixels, what they were decoded from, and the recipe that repeats it. */
import { formatParameters, PARAMETERS_KEYWORD } from "../formats/a1111.ts";
import { setPngTexts } from "../formats/png-text.ts";
import { XMP_KEYWORD, xmpPacket } from "../formats/xmp.ts";
import { encodePng } from "../image/encode-png.ts";
import type { RgbImage } from "../image/pixels.ts";
import type { Grid } from "../sequence/segments.ts";
import type { DrawingNote } from "./drawing-notes.ts";
import type { Platform } from "./platform.ts";
import { RECIPE_KEYWORD, type Recipe } from "./recipe.ts";

/** A picture as the decoder gave it, and what it was made from. */
export interface PictureParts {
  readonly pixels: RgbImage;
  readonly recipe: Recipe;
  /** What the model was not trained for, and how a picture that is drawn again may differ. */
  readonly notes: readonly DrawingNote[];
  /** Rows and columns in tokens. */
  readonly grid: Grid;
  /** What the model drew, [rows * columns, 64]. */
  readonly tokens: Float32Array;
  /** What the decoder was given, [channels, h, w]. */
  readonly latents: Float32Array;
  readonly latentShape: readonly [channels: number, height: number, width: number];
  /** The picture before it was clamped and rounded, about [-1, 1], [3, H, W]. */
  readonly planes: Float32Array;
}

/** A finished picture. */
export interface Picture extends PictureParts {
  readonly prompt: string;
  readonly seed: number;
  /** A PNG file with the recipe in it: for galleries (`parameters`), for this package, and the mark of a generated picture. */
  toPng(): Promise<Uint8Array<ArrayBuffer>>;
  /**
   * Writes {@link toPng} to a file, whole or not at all. Its folder is made if need be, and a file that is there
   * already is replaced.
   */
  save(path: string): Promise<void>;
}

/** What a picture's file says of it. */
export interface PictureTexts {
  /** For galleries. */
  readonly parameters: string;
  /** The recipe, as JSON. */
  readonly recipe: string;
  /** The mark of a generated picture. */
  readonly xmp: string;
}

/** What a file shows, where that is not what the recipe draws. */
export interface ShownPicture extends Pick<Recipe, "width" | "height"> {
  /** Whether exact pixels of a source were put back where its cells were kept. */
  readonly isPastedBack?: boolean;
}

/**
 * @param shown the file's pixels, where they are not those of the recipe
 * @param ofOthers whether parts of given pictures are in it
 */
export function pictureTexts(
  recipe: Recipe,
  shown: ShownPicture = recipe,
  ofOthers = recipe.images !== undefined,
): PictureTexts {
  return {
    parameters: parametersText(recipe, shown),
    recipe: JSON.stringify(recipe),
    xmp: xmpPacket(ofOthers ? "compositeWithTrainedAlgorithmicMedia" : "trainedAlgorithmicMedia"),
  };
}

/** A PNG file with texts. */
export function pngWithTexts(
  png: Uint8Array,
  { parameters, recipe, xmp }: PictureTexts,
): Uint8Array<ArrayBuffer> {
  return setPngTexts(png, [
    { keyword: PARAMETERS_KEYWORD, text: parameters },
    { keyword: RECIPE_KEYWORD, text: recipe, kind: "iTXt" },
    { keyword: XMP_KEYWORD, text: xmp, kind: "iTXt" },
  ]);
}

/** Gives a picture its file form. */
export function finishPicture(parts: PictureParts, platform: Pick<Platform, "zlib" | "writeFile">): Picture {
  const { pixels, recipe } = parts;
  const toPng = async (): Promise<Uint8Array<ArrayBuffer>> =>
    pngWithTexts(await encodePng(pixels, platform.zlib), pictureTexts(recipe));
  return {
    ...parts,
    prompt: recipe.prompt,
    seed: recipe.seed,
    toPng,
    save: async (path) => platform.writeFile(path, await toPng()),
  };
}

/** Settings of the text for galleries that say in what a file is not what its recipe draws. */
export const NATIVE_SIZE_SETTING = "Native size";
export const PASTED_BACK_SETTING = "Pasted back";

/**
 * The text for galleries: that of the AUTOMATIC1111 web UI.
 * @param shown the file's pixels, where they are not those of the recipe
 */
export function parametersText(
  { prompt, seed, width, height, model, settings }: Recipe,
  shown: ShownPicture = { width, height },
): string {
  const isNative = shown.width === width && shown.height === height;
  const { positive, negative, cfg, cfgImg, cfgSchedule, cfgUntil, steps, shift, sampler } = settings;
  const { lastSteps, stepSchedule, rowLag } = settings;
  return formatParameters({
    prompt: positive === "" ? prompt : `${prompt} ${positive}`,
    negativePrompt: negative,
    settings: new Map([
      ["Steps", String(steps)],
      ["Sampler", sampler],
      ["CFG scale", String(cfg)],
      ["Image CFG scale", String(cfgImg)],
      ["CFG schedule", cfgSchedule],
      ...(cfgUntil === 1 ? [] : [["CFG until", String(cfgUntil)] as const]),
      ...(lastSteps === null
        ? []
        : ([
            ["Last steps", String(lastSteps)],
            ["Step schedule", stepSchedule],
          ] as const)),
      ...(rowLag === null ? [] : [["Row lag", String(rowLag)] as const]),
      ["Shift", String(shift)],
      ["Seed", String(seed)],
      ["Size", `${shown.width}x${shown.height}`],
      ...(isNative ? [] : [[NATIVE_SIZE_SETTING, `${width}x${height}`] as const]),
      ...(shown.isPastedBack === true ? [[PASTED_BACK_SETTING, "pixels of the source"] as const] : []),
      ["Model", model],
    ]),
  });
}
