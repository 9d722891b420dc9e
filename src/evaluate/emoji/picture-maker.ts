/** @file Makes the pictures that are judged: drawings of a model, and copies by its autoencoder. */
import { createHash } from "node:crypto";
import { refuseAborted } from "../../errors.ts";
import { nodeZlib } from "../../files/zlib.ts";
import type { Model } from "../../generate/model.ts";
import type { DrawSettings } from "../../generate/settings.ts";
import { encodePng } from "../../image/encode-png.ts";
import type { RgbImage } from "../../image/pixels.ts";
import type { Reconstructor } from "../../train/autoencoder/autoencoder-validation.ts";
import { toPictures } from "../../train/autoencoder/autoencoder-validation.ts";
import type { NamedBuffer } from "../../train/optimizer/trainable.ts";
import type { DrawingStore } from "./drawing-store.ts";

/** Pictures drawn at once. A picture's seed is that of its batch, so its place in the list decides it. */
const BATCH = 8;

export interface DrawRequest {
  /** Of the sample that it is to show. */
  readonly key: string;
  readonly prompt: string;
  /** To be edited. */
  readonly image?: RgbImage;
}

export interface MakerOptions {
  readonly side: number;
  readonly seed: number;
  readonly store: DrawingStore;
  /** In place of the model's own. */
  readonly drawSettings?: Partial<DrawSettings> | undefined;
  readonly signal?: AbortSignal | undefined;
  /** Called with the pictures that were made since. */
  readonly onMade?: (count: number) => void;
}

/** Draws lists of prompts in the same batches, with the same seeds, every time. */
export class Drawer {
  readonly #model: Model;
  readonly #options: MakerOptions;

  constructor(model: Model, options: MakerOptions) {
    this.#model = model;
    this.#options = options;
  }

  /** @returns one picture a request, `side` x `side`. */
  async draw(group: string, requests: readonly DrawRequest[]): Promise<RgbImage[]> {
    const pictures: RgbImage[] = [];
    for (let start = 0; start < requests.length; start += BATCH) {
      const batch = requests.slice(start, start + BATCH);
      pictures.push(...(await this.#drawBatch(group, batch, this.#options.seed + start / BATCH)));
      this.#options.onMade?.(batch.length);
    }
    return pictures;
  }

  async #drawBatch(group: string, batch: readonly DrawRequest[], seed: number): Promise<RgbImage[]> {
    const { side, store, signal, drawSettings } = this.#options;
    const names = batch.map(({ key, prompt }) => `${group}/${fileName(prompt, `${key} ${prompt} ${seed}`)}`);
    const pictures = await Promise.all(names.map((name) => store.get(name)));
    const missing = batch.flatMap((request, index) =>
      pictures[index] === undefined ? [{ request, index }] : [],
    );
    if (missing.length > 0) {
      const images = missing.flatMap(({ request }) => request.image ?? []);
      const tag = images.length > 0 ? "<image>" : "";
      const drawing = this.#model.start(
        missing.map(({ request }) => `${tag}${request.prompt}`),
        {
          ...drawSettings,
          seed,
          size: { width: side, height: side },
          ...(images.length === 0 ? {} : { images }),
          ...(signal === undefined ? {} : { signal }),
        },
      );
      for await (const { index, picture } of drawing.finished()) {
        const place = missing[index]!.index;
        pictures[place] = picture.pixels;
        await store.put(names[place]!, () => picture.toPng());
      }
    }
    return pictures.map((picture) => picture!);
  }
}

/** Sends pictures through the autoencoder and back. */
export class Copier {
  readonly #reconstructor: Reconstructor;
  readonly #weights: readonly NamedBuffer[];
  readonly #options: MakerOptions;

  constructor(reconstructor: Reconstructor, weights: readonly NamedBuffer[], options: MakerOptions) {
    this.#reconstructor = reconstructor;
    this.#weights = weights;
    this.#options = options;
  }

  /** The copy of each picture, without noise. */
  async copy(pictures: readonly RgbImage[]): Promise<RgbImage[]> {
    const { store, onMade } = this.#options;
    const copies: RgbImage[] = [];
    for (const picture of pictures) {
      const name = `copies/${createHash("sha256").update(picture.data).digest("hex").slice(0, 32)}`;
      const kept = await store.get(name);
      const copy = kept ?? (await this.#reconstruct([picture], [0]))[0]![0]!;
      if (kept === undefined) await store.put(name, () => encodePng(copy, nodeZlib));
      copies.push(copy);
      onMade?.(1);
    }
    return copies;
  }

  /** The pictures after noise of each strength on their latents: a list a strength. Noise depends on the place. */
  async withNoise(pictures: readonly RgbImage[], strengths: readonly number[]): Promise<RgbImage[][]> {
    const levels = await this.#reconstruct(pictures, strengths);
    this.#options.onMade?.(pictures.length * strengths.length);
    return levels;
  }

  async #reconstruct(pictures: readonly RgbImage[], strengths: readonly number[]): Promise<RgbImage[][]> {
    refuseAborted(this.#options.signal);
    const levels = await this.#reconstructor.reconstruct(pictures, strengths, this.#weights);
    return levels.map((planes) => toPictures(planes, this.#options.side));
  }
}

/** A name that a person can read, and that no other request has. */
function fileName(prompt: string, identity: string): string {
  const words = prompt.toLowerCase().replace(/[^a-z0-9]+/g, "-");
  const digest = createHash("sha256").update(identity).digest("hex");
  return `${words.slice(0, 60)}-${digest.slice(0, 12)}`;
}
