/** @file Latents that stand in files, for training the decoder on what was drawn. */
import { ConfigError } from "../../errors.ts";
import { openSafetensors } from "../../files/safetensors-files.ts";
import type { TensorSource } from "../../formats/tensor-source.ts";
import { toFloat32 } from "../../tensor/tensor.ts";
import type { TarDataset } from "../data/dataset-reader.ts";
import { samplePlaceText } from "../data/sample-error.ts";

export class GivenLatents implements AsyncDisposable {
  readonly #source: TensorSource;
  readonly #keys: readonly string[];

  private constructor(source: TensorSource, keys: readonly string[]) {
    this.#source = source;
    this.#keys = keys;
  }

  /**
   * @param shape [channels, height, width] of every tensor.
   * @throws ConfigError when a sample of the data has no latents or latents of another shape.
   */
  static async open(path: string, data: TarDataset, shape: readonly number[]): Promise<GivenLatents> {
    const source = await openSafetensors(path);
    try {
      const keys: string[] = [];
      for (let index = 0; index < data.length; index++) {
        const place = data.placeOf(index);
        const { key } = place;
        const stored = source.tensors.get(key);
        if (stored?.shape.join() !== shape.join()) {
          const found = stored === undefined ? "none" : `[${stored.shape}]`;
          throw new ConfigError(
            `latents [${shape}] are needed for ${samplePlaceText(place)}, there are ${found}`,
            {
              where: path,
              remedy: "name a file with latents of every sample's whole picture, by its key",
            },
          );
        }
        keys.push(key);
      }
      return new GivenLatents(source, keys);
    } catch (error) {
      await source.close();
      throw error;
    }
  }

  /** Latents of a sample, row-major. */
  async at(sample: number): Promise<Float32Array> {
    return toFloat32(await this.#source.readTensor(this.#keys[sample]!));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#source.close();
  }
}
