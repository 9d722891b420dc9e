/** @file `nextstep PROMPT...` and `nextstep again FILE`: draws, shows, writes. */
import { InputError } from "../errors.ts";
import { readWholeFile } from "../files/file-source.ts";
import { openSafetensors } from "../files/safetensors-files.ts";
import { nodeZlib } from "../files/zlib.ts";
import { PARAMETERS_KEYWORD, parseParameters } from "../formats/a1111.ts";
import { findPngText, readPngTexts } from "../formats/png-text.ts";
import type { DrawOptions } from "../generate/draw-options.ts";
import type { Drawing } from "../generate/drawing.ts";
import { NATIVE_SIZE_SETTING, PASTED_BACK_SETTING } from "../generate/picture.ts";
import { parseRecipe, RECIPE_KEYWORD, type Recipe } from "../generate/recipe.ts";
import type { InjectedNoise } from "../generate/token-noise.ts";
import { MAX_PICTURE_BYTES } from "../image/picture-format.ts";
import { toFloat32 } from "../tensor/tensor.ts";
import { adaptersToOpen, checkAdaptersAgain } from "./adapter-options.ts";
import { threadsAgain } from "./again-threads.ts";
import { type ChooseBest, chooserOf, openChoosing } from "./best-of.ts";
import { ownContradiction } from "./draw-contradictions.ts";
import { type DrawCommandOptions, drawOptionsOf, type OutputOptions } from "./draw-options.ts";
import { notSaved, report, saveTokens, showPictures, writePictures } from "./draw-output.ts";
import { checkNewJob, JobKeeper } from "./job-keeper.ts";
import { ownOf } from "./job-options.ts";
import { openNamedModel } from "./model-options.ts";
import { noteLines } from "./note-lines.ts";
import { checkTarget, checkWritable } from "./picture-file.ts";
import { PreviewFile } from "./preview-file.ts";
import { progressLine } from "./progress-line.ts";
import type { Terminal } from "./terminal.ts";
import { showThoughts } from "./thought-lines.ts";

const NOISE_TENSOR = "noise";
/** Most numbers of given noise: 2 GiB, far beyond what any drawing takes. */
const MAX_NOISE_NUMBERS = 1 << 29;

/**
 * Draws each prompt and writes the pictures.
 * @param refuse ends the command where an option contradicts what the model's own settings are, which is known only now.
 */
export async function runDraw(
  prompts: readonly string[],
  options: DrawCommandOptions,
  terminal: Terminal,
  refuse: (contradiction: string | undefined) => void,
): Promise<void> {
  await checkOutputs(options);
  await using reward = await openChoosing(prompts, options);
  await using model = await openNamedModel(options, terminal, adaptersToOpen(options.adapter));
  refuse(ownContradiction(options, model.defaults));
  const given = { ...drawOptionsOf(options), ...(await inputs(options, terminal)) };
  await drawAndWrite(model.start(prompts, given), {
    options,
    terminal,
    keeper: newKeeper(options, terminal),
    choose: chooserOf(model, prompts, options, terminal, reward),
  });
}

/** Draws the picture of a PNG again. */
export async function runAgain(file: string, options: OutputOptions, terminal: Terminal): Promise<void> {
  const { recipe, differences } = await readDrawn(file);
  checkAdaptersAgain(recipe, options.adapter);
  await checkOutputs(options);
  await using model = await openNamedModel(
    { ...options, ...threadsAgain(recipe, options) },
    terminal,
    adaptersToOpen(options.adapter),
  );
  const drawing = model.again(recipe, await inputs(options, terminal));
  for (const text of differences) terminal.err.write(`${text}\n`);
  await drawAndWrite(drawing, { options, terminal, keeper: newKeeper(options, terminal) });
}

function newKeeper(options: OutputOptions, terminal: Terminal): JobKeeper {
  const { job, out } = options;
  return new JobKeeper({ ...(job === undefined ? {} : { job }), out, own: ownOf(options) }, terminal);
}

/** Before anything is drawn. */
async function checkOutputs({ out, saveTokens, job, previewFile }: OutputOptions): Promise<void> {
  if (job !== undefined) await checkNewJob(job);
  if (previewFile !== undefined) await checkWritable(previewFile);
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

/** The recipe in a file, and in what the file shows something else than it draws. */
async function readDrawn(file: string): Promise<{ recipe: Recipe; differences: readonly string[] }> {
  const bytes = await readWholeFile(file, MAX_PICTURE_BYTES);
  const texts = await readPngTexts(bytes, nodeZlib, file);
  const text = findPngText(texts, RECIPE_KEYWORD);
  if (text === undefined) {
    throw new InputError("has no recipe in it", { where: file, remedy: "give a PNG that nextstep wrote" });
  }
  const { settings } = parseParameters(findPngText(texts, PARAMETERS_KEYWORD) ?? "");
  const differences: string[] = [];
  const native = settings.get(NATIVE_SIZE_SETTING);
  if (native !== undefined) {
    const size = settings.get("Size") ?? "another size";
    differences.push(
      `${file} was resampled to ${size}; it is drawn again in ${native}, as the model drew it`,
    );
  }
  if (settings.has(PASTED_BACK_SETTING)) {
    differences.push(
      `${file} has its source's exact pixels where cells were kept; drawn again, they are the autoencoder's`,
    );
  }
  return { recipe: parseRecipe(text, file), differences };
}

export async function readNoise(path: string): Promise<InjectedNoise> {
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

export interface Destination {
  readonly options: Pick<OutputOptions, "out" | "saveTokens" | "json" | "preview" | "previewFile">;
  readonly terminal: Terminal;
  readonly keeper: JobKeeper;
  /** Whether an earlier process may have saved some of the pictures. */
  readonly resumed?: boolean;
  /** Which of the pictures are kept. Default: all. */
  readonly choose?: ChooseBest | undefined;
}

/** Draws, and saves what was drawn; a job of it is kept on the way, and stays when that does not come to its end. */
export async function drawAndWrite(drawing: Drawing, destination: Destination): Promise<void> {
  const { keeper, options, terminal } = destination;
  const preview = new PreviewFile(options.previewFile, terminal);
  try {
    await drawAll(drawing, destination, preview);
  } catch (error) {
    await preview.leave();
    await keeper.leave();
    throw error;
  }
  await keeper.finish();
}

const percent = (part: number): string => `${part} %`;

async function drawAll(drawing: Drawing, destination: Destination, preview: PreviewFile): Promise<void> {
  const { options, terminal, keeper, resumed, choose } = destination;
  const started = performance.now();
  const line = progressLine(terminal);
  line.show("opening the model");
  try {
    await showThoughts(drawing.thoughts(), { terminal, line });
    const notes = await drawing.notes();
    line.clear();
    for (const text of noteLines(notes)) terminal.err.write(`${text}\n`);
    await keeper.start(() => drawing.job());
    let drawn = false;
    const showDecoding = async (): Promise<void> => {
      let before = false;
      for await (const { done, of } of drawing.decoding()) {
        // While tokens are drawn, the line is theirs.
        if (!drawn) continue;
        if (!before) line.clear();
        before = true;
        line.update("decoding", Math.floor((100 * done) / of), 100, { format: percent });
      }
    };
    const decoding = showDecoding();
    for await (const progress of drawing) {
      await keeper.follow(progress);
      preview.follow(progress);
      line.update("drawing", progress.token, progress.of);
      drawn = progress.token === progress.of;
    }
    await decoding;
  } finally {
    line.clear();
  }
  const drawn = await drawing.pictures();
  const best = await choose?.(drawn, (done) => line.update("scoring", done, drawn.length)).finally(() =>
    line.clear(),
  );
  const pictures = best?.map(({ picture }) => picture) ?? drawn;
  const seconds = (): number => (performance.now() - started) / 1000;
  if (options.out.kind === "stdout") {
    for (const picture of pictures) terminal.out.write(await picture.toPng());
    terminal.err.write(`drawn in ${seconds().toFixed(1)} s\n`);
  } else {
    const { saved, failures } = await writePictures(options.out, pictures, resumed);
    if (options.json === true) terminal.out.write(`${JSON.stringify(report(saved, seconds(), best))}\n`);
    else {
      showPictures(saved, options, terminal);
      terminal.err.write(`drawn in ${seconds().toFixed(1)} s\n`);
    }
    if (failures.length > 0) throw notSaved(failures, pictures.length, keeper.isKept);
  }
  if (options.saveTokens !== undefined) await saveTokens(options.saveTokens, pictures);
  await preview.finish(pictures);
}
