/** @file `nextstep PROMPT...` and `nextstep again FILE`: draws, shows, writes. */
import { resolve } from "node:path";
import { ConfigError, InputError, NextStepError } from "../errors.ts";
import { readWholeFile } from "../files/file-source.ts";
import { openSafetensors, writeSafetensors } from "../files/safetensors-files.ts";
import { nodeZlib } from "../files/zlib.ts";
import { readPngTexts } from "../formats/png-text.ts";
import { tensorsToWrite } from "../formats/tensor-source.ts";
import type { DefaultSettings } from "../generate/default-settings.ts";
import type { DrawOptions } from "../generate/draw-options.ts";
import type { Drawing } from "../generate/drawing.ts";
import type { Picture } from "../generate/picture.ts";
import { parseRecipe, RECIPE_KEYWORD, type Recipe } from "../generate/recipe.ts";
import { NOISY_SAMPLERS } from "../generate/solvers.ts";
import type { InjectedNoise } from "../generate/token-noise.ts";
import { MAX_PICTURE_BYTES } from "../image/picture-format.ts";
import { float32Tensor, toFloat32 } from "../tensor/tensor.ts";
import { threadsAgain } from "./again-threads.ts";
import { type DrawCommandOptions, drawOptionsOf, type OutputOptions } from "./draw-options.ts";
import { openNamedModel } from "./model-options.ts";
import { noteLines } from "./note-lines.ts";
import { checkTarget, checkWritable, type PlaceOnDisk, promptSlug, writePicture } from "./picture-file.ts";
import { progressLine } from "./progress-line.ts";
import type { Terminal } from "./terminal.ts";
import { colorDepthOf, renderPreview } from "./terminal-preview.ts";

/** Widest preview, in character cells. */
const PREVIEW_COLUMNS = 48;
/** Previews of many pictures push everything else off the screen. */
const MAX_PREVIEWS = 4;
const NOISE_TENSOR = "noise";
/** Most numbers of given noise: 2 GiB, far beyond what any drawing takes. */
const MAX_NOISE_NUMBERS = 1 << 29;

/** Draws each prompt and writes the pictures. */
export async function runDraw(
  prompts: readonly string[],
  options: DrawCommandOptions,
  terminal: Terminal,
): Promise<void> {
  await checkOutputs(options);
  await using model = await openNamedModel(options, terminal);
  refuseIdleNoise(options, model.defaults);
  const given = { ...drawOptionsOf(options), ...(await inputs(options, terminal)) };
  await drawAndWrite(model.start(prompts, given), { options, terminal });
}

/** Draws the picture of a PNG again. */
export async function runAgain(file: string, options: OutputOptions, terminal: Terminal): Promise<void> {
  const recipe = await readRecipe(file);
  await checkOutputs(options);
  await using model = await openNamedModel({ ...options, ...threadsAgain(recipe, options) }, terminal);
  await drawAndWrite(model.again(recipe, await inputs(options, terminal)), { options, terminal });
}

/** @throws ConfigError for a noise level that the sampler of the model's settings does not take. */
function refuseIdleNoise(
  { noiseLevel, sampler, image }: DrawCommandOptions,
  { drawing, editing }: DefaultSettings,
): void {
  const used = sampler ?? (image === undefined ? drawing : editing).sampler;
  if (noiseLevel === undefined || NOISY_SAMPLERS.includes(used)) return;
  throw new ConfigError(`does nothing with ${used}, which the model draws with`, {
    where: "--noise-level",
    remedy: `add --sampler ${NOISY_SAMPLERS.join(" or ")}`,
  });
}

/** Before anything is drawn. */
async function checkOutputs({ out, saveTokens }: OutputOptions): Promise<void> {
  await checkTarget(out);
  if (saveTokens !== undefined) await checkWritable(saveTokens);
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
  const bytes = await readWholeFile(file, MAX_PICTURE_BYTES);
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
    if (entry.shape.reduce((product, size) => product * size, 1) > MAX_NOISE_NUMBERS) {
      throw new InputError(`holds noise of [${entry.shape.join(", ")}], more than is read`, { where: path });
    }
    return { data: toFloat32(await source.readTensor(NOISE_TENSOR)), shape: entry.shape };
  } finally {
    await source.close();
  }
}

interface Destination {
  readonly options: OutputOptions;
  readonly terminal: Terminal;
}

async function drawAndWrite(drawing: Drawing, { options, terminal }: Destination): Promise<void> {
  const started = performance.now();
  const line = progressLine(terminal);
  line.show("opening the model");
  try {
    const notes = await drawing.notes();
    line.clear();
    for (const text of noteLines(notes)) terminal.err.write(`${text}\n`);
    for await (const { token, of } of drawing) line.update("drawing", token, of);
  } finally {
    line.clear();
  }
  const pictures = await drawing.pictures();
  const seconds = (): number => (performance.now() - started) / 1000;
  if (options.out.kind === "stdout") {
    for (const picture of pictures) terminal.out.write(await picture.toPng());
    terminal.err.write(`drawn in ${seconds().toFixed(1)} s\n`);
  } else {
    const { saved, failures } = await writePictures(options.out, pictures);
    if (options.json === true) terminal.out.write(`${JSON.stringify(report(saved, seconds()))}\n`);
    else {
      showPictures(saved, options, terminal);
      terminal.err.write(`drawn in ${seconds().toFixed(1)} s\n`);
    }
    if (failures.length > 0) throw notSaved(failures, pictures.length);
  }
  if (options.saveTokens !== undefined) await saveTokens(options.saveTokens, pictures);
}

/** Names, behind a look at the picture where the terminal can show it. */
function showPictures(saved: readonly SavedPicture[], { preview }: OutputOptions, terminal: Terminal): void {
  const { out, environment } = terminal;
  const depth = preview ? colorDepthOf(out, environment) : undefined;
  for (const [index, { picture, file }] of saved.entries()) {
    if (depth !== undefined && index < MAX_PREVIEWS) {
      const columns = Math.min(PREVIEW_COLUMNS, out.columns || PREVIEW_COLUMNS);
      out.write(`${renderPreview(picture.pixels, columns, depth)}\n`);
    }
    out.write(`${file}\n`);
  }
}

interface SavedPicture {
  readonly picture: Picture;
  readonly file: string;
}

interface FailedSave {
  readonly picture: Picture;
  readonly error: NextStepError;
}

/** Tries every picture: where one finds no room, another may, and what is saved must be told. */
async function writePictures(
  target: PlaceOnDisk,
  pictures: readonly Picture[],
): Promise<{ readonly saved: readonly SavedPicture[]; readonly failures: readonly FailedSave[] }> {
  const saved: SavedPicture[] = [];
  const failures: FailedSave[] = [];
  for (const picture of pictures) {
    try {
      const stem = `${promptSlug(picture.prompt)}-${picture.seed}`;
      saved.push({ picture, file: await writePicture(target, stem, await picture.toPng()) });
    } catch (error) {
      if (!(error instanceof NextStepError)) throw error;
      failures.push({ picture, error });
    }
  }
  return { saved, failures };
}

/** Seeds bring back what could not be saved. */
function notSaved(failures: readonly FailedSave[], of: number): Error {
  const [first] = failures;
  const { where, reason } = first?.error ?? {};
  const seeds = failures.map(({ picture }) => picture.seed).join(", ");
  return new InputError(`${reason}; ${failures.length} of ${of} pictures are not saved`, {
    ...(where === undefined ? {} : { where }),
    remedy: `make room or give another --out, and draw with seed ${seeds} again`,
    cause: first?.error,
  });
}

function report(saved: readonly SavedPicture[], seconds: number): unknown {
  return {
    seconds: Number(seconds.toFixed(3)),
    pictures: saved.map(({ picture, file }) => ({
      file: resolve(file),
      ...picture.recipe,
      notes: picture.notes,
    })),
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
