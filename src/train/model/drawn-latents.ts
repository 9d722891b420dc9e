/**
 * @file Drawn tokens beside the real pictures, for training the decoder on what it will be given: every token is drawn
 * by the model behind the true tokens in front of it, so that what is drawn stays aligned with the picture.
 */
import { join } from "node:path";
import { openModelFolder } from "../../checkpoint/model-folder.ts";
import { AbortedError, ConfigError } from "../../errors.ts";
import { LocalFolder } from "../../files/local-folder.ts";
import { writeSafetensors } from "../../files/safetensors-files.ts";
import { tensorsToWrite } from "../../formats/tensor-source.ts";
import { Canvas } from "../../generate/canvas.ts";
import { readDefaultSettings } from "../../generate/default-settings.ts";
import { guidanceOf, solverOf } from "../../generate/draw-plan.ts";
import { DrawingOrder } from "../../generate/drawing-order.ts";
import { ModelSessions } from "../../generate/model-sessions.ts";
import { promptTokenRows } from "../../generate/prompt-rows.ts";
import type { DrawSettings } from "../../generate/settings.ts";
import { SharedLoop } from "../../generate/shared-loop.ts";
import { Slot } from "../../generate/slot.ts";
import { seededNoise } from "../../generate/token-noise.ts";
import { unpatchify } from "../../image/patchify.ts";
import { type PictureFormat, pictureFormat } from "../../image/picture-format.ts";
import { pixelsPerLatent } from "../../model/autoencoder-config.ts";
import { tokenWidth } from "../../model/config.ts";
import { LocalEngine } from "../../runtime/node/local-engine.ts";
import { buildPromptRows } from "../../sequence/prompt.ts";
import { loadTokenizer, type TextTokenizer } from "../../sequence/tokenizer.ts";
import { float32Tensor, type Tensor } from "../../tensor/tensor.ts";
import { TarDataset } from "../data/dataset-reader.ts";
import { OutputFolder } from "../data/output-folder.ts";
import { usableOr } from "../data/sample-error.ts";
import { pickCaption } from "../data/sample-json.ts";
import { type SampleImage, type SampleJson, SampleWriter } from "../data/sample-writer.ts";
import { randomFor } from "../step-random.ts";
import { PictureEncoder, type PictureTokens } from "./picture-encoder.ts";

export interface DrawnLatentsOptions {
  /** Folder of the model, autoencoder included. */
  readonly model: string;
  /** Tar, or folder of tars, with captioned pictures; or several. */
  readonly data: string | readonly string[];
  /** Folder to make; must not exist or be empty. */
  readonly out: string;
  /** Pictures, chosen at random; all when there are no more. */
  readonly pictures: number;
  readonly seed?: number;
  /** Threads of one operator; the machine's processors when left out. */
  readonly threads?: number;
  readonly signal?: AbortSignal;
  readonly onProgress?: (progress: { readonly done: number; readonly total: number }) => void;
}

export interface DrawnLatentsResult {
  readonly folder: string;
  readonly pictures: number;
}

/** Pictures drawn together. */
const BATCH = 16;

const EXTENSIONS: Readonly<Partial<Record<PictureFormat, SampleImage["extension"]>>> = {
  PNG: "png",
  JPEG: "jpg",
  WebP: "webp",
};

/** Notes what is drawn for each cell, and has the true token read in its place. */
export class TrueCanvas extends Canvas {
  /** In raster order. [cells, width] */
  readonly drawn: Float32Array;
  readonly #truth: Float32Array;

  constructor({ grid, tokens }: PictureTokens, width: number, rowLag: number | null) {
    super(grid, width, new DrawingOrder(grid, rowLag));
    this.#truth = tokens;
    this.drawn = new Float32Array(tokens.length);
  }

  override sample(token: Float32Array): void {
    const from = this.order.cellAt(this.next) * this.width;
    this.drawn.set(token, from);
    super.sample(this.#truth.slice(from, from + this.width));
  }
}

/** A picture of the data with what is needed to draw it. */
interface Chosen {
  readonly key: string;
  readonly caption: string;
  readonly json: SampleJson;
  readonly image: SampleImage;
  readonly truth: PictureTokens;
}

/**
 * Writes `OUT/train`, some of the pictures of the data at random, and `OUT/latents.safetensors`, for the key of each a
 * tensor [channels, height, width]: the latents of its drawn tokens, at the model's own size and settings.
 * @throws ConfigError for a number of pictures that is none, ModelFormatError for a model without an autoencoder,
 *   AbortedError when cancelled, and then nothing is left behind.
 */
export async function writeDrawnLatents(options: DrawnLatentsOptions): Promise<DrawnLatentsResult> {
  const { pictures, seed = 0, signal, onProgress, threads } = options;
  if (!Number.isInteger(pictures) || pictures < 1) {
    throw new ConfigError(`${pictures} pictures`, {
      where: "pictures",
      remedy: "give a whole number from 1",
    });
  }
  await using output = await OutputFolder.create(options.out);
  await using engine = new LocalEngine({ spin: false, ...(threads === undefined ? {} : { threads }) });
  await using model = await openModelFolder(new LocalFolder(options.model));
  await using data = await TarDataset.open(options.data, { cacheBytes: 0 });
  const drawer = await Drawer.create(engine, model, seed);
  const order = randomFor(seed, "drawn").shuffle(Array.from({ length: data.length }, (_, index) => index));
  const total = Math.min(pictures, order.length);
  await using writer = new SampleWriter(join(output.workPath, "train"));
  const latents: [string, Tensor][] = [];
  for (let start = 0; latents.length < total && start < order.length; start += BATCH) {
    if (signal?.aborted)
      throw new AbortedError("the drawn latents were not finished", { where: options.out });
    const batch = order.slice(start, start + Math.min(BATCH, total - latents.length));
    for (const { chosen, drawn } of await drawer.draw(data, batch, signal)) {
      await writer.add(chosen.key, chosen.json, [chosen.image]);
      latents.push([chosen.key, drawn]);
    }
    onProgress?.({ done: latents.length, total });
  }
  await writer.close();
  await writeSafetensors(join(output.workPath, "latents.safetensors"), tensorsToWrite(latents));
  await output.commit();
  return { folder: output.path, pictures: latents.length };
}

type ModelFolder = Awaited<ReturnType<typeof openModelFolder>>;

interface DrawerParts {
  readonly sessions: ModelSessions;
  readonly encoder: PictureEncoder;
  readonly tokenizer: TextTokenizer;
  readonly settings: DrawSettings;
  /** Sides of the pictures, in pixels. */
  readonly side: number;
  readonly seed: number;
}

/** Draws along real pictures. */
class Drawer {
  readonly #parts: DrawerParts;

  private constructor(parts: DrawerParts) {
    this.#parts = parts;
  }

  static async create(engine: LocalEngine, model: ModelFolder, seed: number): Promise<Drawer> {
    const sessions = new ModelSessions(engine, model);
    const { autoencoder } = sessions;
    const { config, files } = model;
    const side = config.latentSize * pixelsPerLatent(autoencoder.config);
    const encoder = await PictureEncoder.create(engine, autoencoder, {
      patch: config.latentPatchSize,
      imageSize: side,
      aspectBuckets: false,
      matchSizes: false,
    });
    const tokenizer = await loadTokenizer(files);
    const { drawing: settings } = await readDefaultSettings(files, model.release);
    return new Drawer({ sessions, encoder, tokenizer, settings, side, seed });
  }

  /** Samples that cannot be used are left out. */
  async draw(
    data: TarDataset,
    samples: readonly number[],
    signal: AbortSignal | undefined,
  ): Promise<{ chosen: Chosen; drawn: Tensor }[]> {
    const chosen: Chosen[] = [];
    for (const sample of samples) {
      const found = await usableOr(this.#choose(data, sample), undefined);
      if (found !== undefined) chosen.push(found);
    }
    if (chosen.length === 0) return [];
    const { sessions, tokenizer, settings, side, seed } = this.#parts;
    const { cfg, positive, negative, sampler, useNorm } = settings;
    const prompt = buildPromptRows(tokenizer, {
      captions: chosen.map(({ caption }) => caption),
      images: null,
      imagesPerCaption: 1,
      positive: positive === "" ? null : positive,
      negative: negative === "" ? null : negative,
      size: [side, side],
      cfg,
      cfgImg: 1,
      code: "P-B",
    });
    const rows = promptTokenRows(prompt, []);
    const { config } = sessions.folder;
    const canvases = chosen.map(({ truth }) => new TrueCanvas(truth, tokenWidth(config), settings.rowLag));
    const slots = canvases.map(
      (canvas, index) =>
        new Slot({
          rows: rows.filter((_row, place) => place % prompt.pictures === index),
          canvas,
          sampler,
          ...solverOf(settings),
          guidance: guidanceOf({ ...settings, cfgImg: 1 }),
          noise: seededNoise(seed + samples[index]!),
          useNorm,
          name: chosen[index]!.key,
          signal,
        }),
    );
    for await (const _events of new SharedLoop(sessions).draw(slots));
    return chosen.map((own, index) => ({ chosen: own, drawn: this.#latentsOf(canvases[index]!) }));
  }

  async #choose(data: TarDataset, sample: number): Promise<Chosen | undefined> {
    const { seed, encoder } = this.#parts;
    const { key, captions, metadata, where } = await data.textAt(sample);
    const [picture] = await data.imagesAt(sample);
    const [bytes] = await data.encodedImagesAt(sample);
    const extension = bytes === undefined ? undefined : EXTENSIONS[pictureFormat(bytes) ?? "GIF"];
    if (picture === undefined || bytes === undefined || extension === undefined) return undefined;
    const caption = pickCaption(captions, randomFor(seed, "drawn caption", sample).uniform(), where);
    const [[truth] = []] = await encoder.encode([[picture]]);
    return { key, caption, json: { caption, metadata }, image: { bytes, extension }, truth: truth! };
  }

  /** As the decoder is given them: scaled back and shifted. */
  #latentsOf({ drawn, grid }: TrueCanvas): Tensor {
    const { latentChannels: channels, latentPatchSize: patch } = this.#parts.sessions.folder.config;
    const { scalingFactor, shiftFactor } = this.#parts.sessions.autoencoder.config;
    const latents = unpatchify(drawn, { images: 1, channels, grid, patch });
    return float32Tensor(
      [channels, grid[0] * patch, grid[1] * patch],
      latents.map((value) => value / scalingFactor + shiftFactor),
    );
  }
}
