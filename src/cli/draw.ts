/** @file `nextstep PROMPT...` and `nextstep again FILE`: draws, shows, writes. */
import { readFile } from "node:fs/promises";
import { resolve } from "node:path";
import { InputError } from "../errors.ts";
import { openSafetensors, writeSafetensors } from "../files/safetensors-files.ts";
import { nodeZlib } from "../files/zlib.ts";
import { readPngTexts } from "../formats/png-text.ts";
import { tensorsToWrite } from "../formats/tensor-source.ts";
import type { DrawOptions } from "../generate/draw-options.ts";
import type { Drawing } from "../generate/drawing.ts";
import type { Model } from "../generate/model.ts";
import type { Picture } from "../generate/picture.ts";
import { parseRecipe, RECIPE_KEYWORD, type Recipe } from "../generate/recipe.ts";
import type { InjectedNoise } from "../generate/token-noise.ts";
import { open } from "../node/open-model.ts";
import { float32Tensor, toFloat32 } from "../tensor/tensor.ts";
import { type DrawCommandOptions, drawOptionsOf, type OutputOptions } from "./draw-options.ts";
import { freeName, parseTarget, promptSlug, type Target } from "./picture-file.ts";
import { ProgressLine } from "./progress-line.ts";
import type { Terminal } from "./terminal.ts";
import { colorDepthOf, renderPreview } from "./terminal-preview.ts";

/** Widest preview, in character cells. */
const PREVIEW_COLUMNS = 48;
/** Previews of many pictures push everything else off the screen. */
const MAX_PREVIEWS = 4;
const NOISE_TENSOR = "noise";

/** Draws each prompt and writes the pictures. */
export async function runDraw(
  prompts: readonly string[],
  options: DrawCommandOptions,
  terminal: Terminal,
): Promise<void> {
  const target = parseTarget(options.out, prompts.length * (options.count ?? 1));
  await using model = await openModel(options);
  await drawAndWrite(
    model.start(prompts, { ...drawOptionsOf(options), ...(await inputs(options, terminal)) }),
    {
      target,
      options,
      terminal,
    },
  );
}

/** Draws the picture of a PNG again. */
export async function runAgain(file: string, options: OutputOptions, terminal: Terminal): Promise<void> {
  const target = parseTarget(options.out, 1);
  const recipe = await readRecipe(file);
  await using model = await openModel(options);
  await drawAndWrite(model.again(recipe, await inputs(options, terminal)), { target, options, terminal });
}

function openModel({ model, threads }: OutputOptions): Promise<Model> {
  return open(model, threads === undefined ? {} : { threads });
}

async function inputs(
  options: OutputOptions,
  terminal: Terminal,
): Promise<Pick<DrawOptions, "images" | "noise" | "signal">> {
  return {
    signal: terminal.signal,
    ...(options.image === undefined ? {} : { images: options.image }),
    ...(options.noise === undefined ? {} : { noise: await readNoise(options.noise) }),
  };
}

async function readRecipe(file: string): Promise<Recipe> {
  let bytes: Uint8Array;
  try {
    bytes = await readFile(file);
  } catch (cause) {
    throw new InputError("cannot be read", { where: file, remedy: "give a PNG that nextstep wrote", cause });
  }
  const text = (await readPngTexts(bytes, nodeZlib, file)).find(({ keyword }) => keyword === RECIPE_KEYWORD);
  if (text === undefined) {
    throw new InputError("has no recipe in it", { where: file, remedy: "give a PNG that nextstep wrote" });
  }
  return parseRecipe(text.text, file);
}

async function readNoise(path: string): Promise<InjectedNoise> {
  const source = await openSafetensors(path);
  try {
    const entry = source.tensors.get(NOISE_TENSOR);
    if (entry === undefined) {
      throw new InputError(`holds no tensor "${NOISE_TENSOR}"`, { where: path });
    }
    return { data: toFloat32(await source.readTensor(NOISE_TENSOR)), shape: entry.shape };
  } finally {
    await source.close();
  }
}

interface Destination {
  readonly target: Target;
  readonly options: OutputOptions;
  readonly terminal: Terminal;
}

async function drawAndWrite(drawing: Drawing, { target, options, terminal }: Destination): Promise<void> {
  const started = performance.now();
  const line = new ProgressLine(terminal.err);
  line.show("opening the model");
  try {
    for await (const { token, of } of drawing) line.update("drawing", token, of);
  } finally {
    line.clear();
  }
  const pictures = await drawing.pictures();
  const files: string[] = [];
  for (const picture of pictures) {
    const path =
      target.kind === "file"
        ? target.path
        : await freeName(target.path, `${promptSlug(picture.prompt)}-${picture.seed}`);
    await picture.save(path);
    files.push(path);
  }
  if (options.saveTokens !== undefined) await saveTokens(options.saveTokens, pictures);
  const seconds = (performance.now() - started) / 1000;
  if (options.json === true) {
    terminal.out.write(`${JSON.stringify(report(pictures, files, seconds))}\n`);
    return;
  }
  pictures.forEach((picture, index) => {
    if (options.preview && terminal.out.isTTY === true && index < MAX_PREVIEWS) {
      const columns = Math.min(PREVIEW_COLUMNS, terminal.out.columns || PREVIEW_COLUMNS);
      terminal.out.write(`${renderPreview(picture.pixels, columns, colorDepthOf(terminal.environment))}\n`);
    }
    terminal.out.write(`${files[index]}\n`);
  });
  terminal.err.write(`drawn in ${seconds.toFixed(1)} s\n`);
}

function report(pictures: readonly Picture[], files: readonly string[], seconds: number): unknown {
  return {
    seconds: Number(seconds.toFixed(3)),
    pictures: pictures.map(({ recipe }, index) => ({ file: resolve(files[index] as string), ...recipe })),
  };
}

/** tokens [n, S, 64], latents [n, channels, h, w], image [n, 3, H, W], each as drawn, before any rounding. */
async function saveTokens(path: string, pictures: readonly Picture[]): Promise<void> {
  const [first] = pictures;
  if (first === undefined) return;
  const { grid, pixels, tokens, latentShape } = first;
  const count = pictures.length;
  const stack = (pick: (picture: Picture) => Float32Array): Float32Array => {
    const size = pick(first).length;
    const all = new Float32Array(count * size);
    pictures.forEach((picture, index) => {
      all.set(pick(picture), index * size);
    });
    return all;
  };
  const area = grid[0] * grid[1];
  await writeSafetensors(
    path,
    tensorsToWrite([
      [
        "tokens",
        float32Tensor(
          [count, area, tokens.length / area],
          stack((picture) => picture.tokens),
        ),
      ],
      [
        "latents",
        float32Tensor(
          [count, ...latentShape],
          stack((picture) => picture.latents),
        ),
      ],
      [
        "image",
        float32Tensor(
          [count, 3, pixels.height, pixels.width],
          stack((picture) => picture.planes),
        ),
      ],
    ]),
  );
}
