/**
 * @file The features by which a classification net tells pictures apart. It is the net of the autoencoder's perceptual
 * loss, but not what was trained on: that loss compares maps at strides 2 to 16 on crops; scores compare the means
 * over all places of the last convolution, at stride 32 and five blocks further, on whole pictures at the side the net
 * was made for. No part of the transformer, which decides what is drawn, was trained with the net; the decoder was, and
 * each score stands beside that of the decoder's own copies of the real pictures.
 */
import { readFeatureNet } from "../checkpoint/feature-net-file.ts";
import { FileSource } from "../files/file-source.ts";
import { writeOnnx } from "../graph/onnx-writer.ts";
import { input } from "../graph/value.ts";
import { type RgbImage, toPlanes } from "../image/pixels.ts";
import { stretch } from "../image/resize.ts";
import { LITE0_POOLED, pooledFeatures } from "../model/feature-net.ts";
import { ParameterScope } from "../model/parameter-scope.ts";
import type { Engine, Session } from "../runtime/engine.ts";
import type { Feature } from "./retrieval.ts";

/** Side of the pictures that the net was trained on. */
const SIDE = 224;
const BATCH = 8;

export class NetFeatures {
  readonly #session: Session;

  private constructor(session: Session) {
    this.#session = session;
  }

  /**
   * @param path of the file of EfficientNet-lite0.
   * @throws InputError when there is none, ModelFormatError when it is another.
   */
  static async open(engine: Engine, path: string): Promise<NetFeatures> {
    const weights = await readFeatureNet(await FileSource.open(path), LITE0_POOLED);
    const byName = new Map(weights.map(({ name, data }) => [name, data]));
    const pixels = input("pixels", "float32", ["pictures", 3, SIDE, SIDE]);
    const features = pooledFeatures(new ParameterScope(), LITE0_POOLED, pixels);
    const graph = writeOnnx({ features }, { parameters: "initializers" });
    return new NetFeatures(await engine.createSession(graph, ({ name }) => byName.get(name)!));
  }

  /** Features of pictures of any size, [1280] each, before any scaling. */
  async of(pictures: readonly RgbImage[]): Promise<Feature[]> {
    const found: Feature[] = [];
    const area = 3 * SIDE * SIDE;
    for (let start = 0; start < pictures.length; start += BATCH) {
      const batch = pictures.slice(start, start + BATCH);
      const data = new Float32Array(batch.length * area);
      batch.forEach((picture, index) => {
        toPlanes(stretch(picture, [SIDE, SIDE], "bicubic"), data, index * area);
      });
      const pixels = { dtype: "float32", shape: [batch.length, 3, SIDE, SIDE], data } as const;
      const { features } = await this.#session.run({ pixels });
      const values = features!.data as Float32Array;
      const width = values.length / batch.length;
      batch.forEach((_, index) => {
        found.push(Float64Array.from(values.subarray(index * width, (index + 1) * width)));
      });
    }
    return found;
  }
}

/** 1 - cosine: 0 for features of one direction, 1 for those that share nothing. */
export function cosineDistance(a: Feature, b: Feature): number {
  let [dot, squareA, squareB] = [0, 0, 0];
  for (let i = 0; i < a.length; i++) {
    dot += a[i]! * b[i]!;
    squareA += a[i]! ** 2;
    squareB += b[i]! ** 2;
  }
  return 1 - dot / Math.sqrt(Math.max(squareA * squareB, Number.MIN_VALUE));
}
