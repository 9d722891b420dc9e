/**
 * @file Image tokens of a data set by the frozen autoencoder. What fits in memory is encoded once, before training, and
 * kept in files that a later start reads; the rest is encoded when its batch comes.
 */
import { createHash } from "node:crypto";
import { mkdir, stat } from "node:fs/promises";
import { join } from "node:path";
import type { AutoencoderFolder } from "../checkpoint/autoencoder-folder.ts";
import { AbortedError, DataFormatError } from "../errors.ts";
import { SafetensorsFile } from "../formats/safetensors.ts";
import { writeSafetensors } from "../formats/safetensors-writer.ts";
import { tensorsToWrite } from "../formats/tensor-source.ts";
import { writeOnnx } from "../graph/onnx-writer.ts";
import { input } from "../graph/value.ts";
import { chooseBucket } from "../image/aspect-buckets.ts";
import { patchify } from "../image/patchify.ts";
import { type RgbImage, toPlanes } from "../image/pixels.ts";
import { coverAndCrop, squareCrop } from "../image/resize.ts";
import { encodePixels } from "../model/autoencoder.ts";
import { pixelsPerLatent } from "../model/autoencoder-config.ts";
import { ParameterScope } from "../model/parameter-scope.ts";
import type { Engine, Session } from "../runtime/engine.ts";
import { type Grid, gridText, PIXELS_PER_TOKEN } from "../sequence/segments.ts";
import { float32Tensor, toFloat32 } from "../tensor/tensor.ts";
import type { TarDataset } from "./data/dataset-reader.ts";

export interface LatentOptions {
  /** Latent pixels on a side of an image token. */
  readonly patch: number;
  /** Sides of a square picture, in pixels. */
  readonly imageSize: number;
  readonly aspectBuckets: boolean;
  /** Bound on tokens kept, in bytes. */
  readonly cacheBytes: number;
  /** Folder for the files of what is kept. */
  readonly folder: string;
  readonly signal?: AbortSignal;
}

/** Pictures in a run of the encoder: memory of the engine grows with it, speed no longer does. */
const ENCODER_BATCH = 8;
/** Pictures of a cache file: what a killed start loses at most. */
const CHUNK = 512;

export class LatentStore {
  readonly #source: TarDataset;
  readonly #autoencoder: AutoencoderFolder;
  readonly #encoder: Session;
  readonly #options: LatentOptions;
  readonly #grids: readonly Grid[];
  readonly #kept = new Map<number, Float32Array>();

  private constructor(
    source: TarDataset,
    autoencoder: AutoencoderFolder,
    encoder: Session,
    options: LatentOptions,
    grids: readonly Grid[],
  ) {
    this.#source = source;
    this.#autoencoder = autoencoder;
    this.#encoder = encoder;
    this.#options = options;
    this.#grids = grids;
  }

  /**
   * Encodes what fits, or reads it from files of an earlier start.
   * @throws AbortedError when the signal fires; files written so far stay.
   */
  static async create(
    engine: Engine,
    source: TarDataset,
    autoencoder: AutoencoderFolder,
    options: LatentOptions,
  ): Promise<LatentStore> {
    const side = pixelsPerLatent(autoencoder.config) * options.patch;
    const { inChannels } = autoencoder.config;
    const pixels = input("pixels", "float32", ["pictures", inChannels, `${side}*height`, `${side}*width`]);
    const { mean } = encodePixels(new ParameterScope(), autoencoder.config, pixels);
    const model = writeOnnx({ mean }, { parameters: "initializers" });
    const encoder = await engine.createSession(model, autoencoder.tensors.weightSource);
    const grids: Grid[] = [];
    for (let index = 0; index < source.length; index++) grids.push(await gridAt(source, index, options));
    const store = new LatentStore(source, autoencoder, encoder, options, grids);
    await store.#fill();
    return store;
  }

  /** Tokens of a picture, height and width. */
  gridAt(index: number): Grid {
    return this.#grids[index]!;
  }

  /** Clean tokens of pictures, each [height * width * 64] in raster order. Must not be changed. */
  async load(indices: readonly number[]): Promise<Float32Array[]> {
    const missing = [...new Set(indices.filter((index) => !this.#kept.has(index)))];
    const fresh = missing.length === 0 ? new Map<number, Float32Array>() : await this.#encode(missing);
    return indices.map((index) => (this.#kept.get(index) ?? fresh.get(index))!);
  }

  /** Frees the encoder; what is kept can still be loaded. */
  async dispose(): Promise<void> {
    await this.#encoder.dispose();
  }

  #tokenBytes(index: number): number {
    const [height, width] = this.gridAt(index);
    return 4 * height * width * this.#autoencoder.config.latentChannels * this.#options.patch ** 2;
  }

  async #fill(): Promise<void> {
    const { cacheBytes, signal, folder } = this.#options;
    const key = await this.#encoderKey();
    let bytes = 0;
    for (let first = 0; first < this.#source.length; first += CHUNK) {
      const indices = Array.from(
        { length: Math.min(CHUNK, this.#source.length - first) },
        (_, offset) => first + offset,
      );
      bytes += indices.reduce((sum, index) => sum + this.#tokenBytes(index), 0);
      // Whoever comes first stays: in a cycle through everything, replacing old by new would never hit.
      if (bytes > cacheBytes) return;
      if (signal?.aborted === true) throw new AbortedError("encoding of the pictures was stopped");
      const path = join(folder, `tokens-${await this.#chunkKey(key, indices)}.safetensors`);
      const tokens = (await this.#readChunk(path, indices)) ?? (await this.#writeChunk(path, indices));
      for (const [index, data] of tokens) this.#kept.set(index, data);
    }
  }

  /** Hash over the encoder and how pictures are brought to size. */
  async #encoderKey(): Promise<string> {
    const { imageSize, patch } = this.#options;
    const kind = this.#options.aspectBuckets ? "buckets" : "squares";
    const hash = createHash("sha256").update(`${imageSize}:${patch}:${kind}`);
    hash.update(JSON.stringify(this.#autoencoder.configJson));
    const { entries } = this.#autoencoder.tensors;
    for (const name of [...entries.keys()].filter((entry) => entry.startsWith("encoder.")).sort()) {
      const { data } = await this.#autoencoder.tensors.readStored(name);
      hash.update(name).update(new Uint8Array(data.buffer, data.byteOffset, data.byteLength));
    }
    return hash.digest("hex");
  }

  /** Hash over all that the tokens of these pictures depend on. */
  async #chunkKey(encoderKey: string, indices: readonly number[]): Promise<string> {
    const hash = createHash("sha256").update(encoderKey);
    for (const index of indices) {
      const [picture] = await this.#source.encodedImagesAt(index);
      hash.update(`${index}:${picture?.length ?? 0};`);
      if (picture !== undefined) hash.update(picture);
    }
    return hash.digest("hex").slice(0, 16);
  }

  async #readChunk(path: string, indices: readonly number[]): Promise<Map<number, Float32Array> | undefined> {
    if ((await stat(path).catch(() => undefined)) === undefined) return undefined;
    const file = await SafetensorsFile.open(path);
    try {
      const tokens = new Map<number, Float32Array>();
      for (const index of indices) tokens.set(index, toFloat32(await file.readTensor(String(index))));
      return tokens;
    } finally {
      await file.close();
    }
  }

  async #writeChunk(path: string, indices: readonly number[]): Promise<Map<number, Float32Array>> {
    const tokens = await this.#encode(indices);
    const width = this.#autoencoder.config.latentChannels * this.#options.patch ** 2;
    const tensors = [...tokens].map(
      ([index, data]) => [String(index), float32Tensor([data.length / width, width], data)] as const,
    );
    await mkdir(join(path, ".."), { recursive: true });
    await writeSafetensors(path, tensorsToWrite(tensors));
    return tokens;
  }

  /** Runs the encoder over pictures, those of one grid together. */
  async #encode(indices: readonly number[]): Promise<Map<number, Float32Array>> {
    const byGrid = new Map<string, number[]>();
    for (const index of indices) {
      const key = gridText(this.gridAt(index));
      byGrid.set(key, [...(byGrid.get(key) ?? []), index]);
    }
    const tokens = new Map<number, Float32Array>();
    for (const group of byGrid.values()) {
      for (let start = 0; start < group.length; start += ENCODER_BATCH) {
        if (this.#options.signal?.aborted === true) {
          throw new AbortedError("encoding of the pictures was stopped");
        }
        await this.#encodeBatch(group.slice(start, start + ENCODER_BATCH), tokens);
      }
    }
    return tokens;
  }

  /** Latents are (mean - shift) * scale: the published autoencoders are deterministic. */
  async #encodeBatch(indices: readonly number[], tokens: Map<number, Float32Array>): Promise<void> {
    const { patch } = this.#options;
    const { inChannels, latentChannels, shiftFactor, scalingFactor } = this.#autoencoder.config;
    const grid = this.gridAt(indices[0]!);
    const side = pixelsPerLatent(this.#autoencoder.config) * patch;
    const [height, width] = [grid[0] * side, grid[1] * side];
    const area = inChannels * height * width;
    const pixels = new Float32Array(indices.length * area);
    for (const [place, index] of indices.entries()) {
      toPlanes(toTrainingSize(await pictureAt(this.#source, index), this.#options), pixels, place * area);
    }
    const shape = [indices.length, inChannels, height, width];
    const { mean } = await this.#encoder.run({ pixels: { dtype: "float32", shape, data: pixels } });
    const latents = (mean!.data as Float32Array).map((value) => (value - shiftFactor) * scalingFactor);
    const layout = { images: indices.length, channels: latentChannels, grid, patch };
    const all = patchify(latents, layout);
    const elements = all.length / indices.length;
    for (const [place, index] of indices.entries()) {
      tokens.set(index, all.slice(place * elements, (place + 1) * elements));
    }
  }
}

/** Brings a picture to the size that training sees. */
function toTrainingSize(picture: RgbImage, { imageSize, aspectBuckets: buckets }: LatentOptions): RgbImage {
  const { width, height } = picture;
  const target = buckets
    ? chooseBucket([height, width], imageSize).gridPixels
    : ([imageSize, imageSize] as const);
  if (height === target[0] && width === target[1]) return picture;
  return buckets ? coverAndCrop(picture, target) : squareCrop(picture, imageSize);
}

async function gridAt(source: TarDataset, index: number, options: LatentOptions): Promise<Grid> {
  const side = options.imageSize / PIXELS_PER_TOKEN;
  if (!options.aspectBuckets) return [side, side];
  const { width, height } = await pictureAt(source, index);
  return chooseBucket([height, width], options.imageSize).grid;
}

async function pictureAt(source: TarDataset, index: number): Promise<RgbImage> {
  const [picture] = await source.imagesAt(index);
  if (picture === undefined) throw new DataFormatError("has no picture", { where: `sample ${index}` });
  return picture;
}
