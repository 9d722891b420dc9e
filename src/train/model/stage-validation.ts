/** @file Losses of a model on held-out samples, with their own captions and with those of others. */
import { DataFormatError } from "../../errors.ts";
import { DrawingOrder } from "../../generate/drawing-order.ts";
import { writeOnnx } from "../../graph/onnx-writer.ts";
import type { NextStepConfig } from "../../model/config.ts";
import type { Engine, Session } from "../../runtime/engine.ts";
import type { Grid } from "../../sequence/segments.ts";
import type { TextTokenizer } from "../../sequence/tokenizer.ts";
import type { TarDataset } from "../data/dataset-reader.ts";
import type { FaultySamples } from "../data/faulty-samples.ts";
import { onSample } from "../data/sample-error.ts";
import { drawFlow } from "../objective/flow-draws.ts";
import type { FrozenBase } from "../objective/frozen-base.ts";
import type { TokenRows } from "../objective/token-rows.ts";
import { predictionCount, type TrainingFeeds, trainingFeeds } from "../objective/training-feeds.ts";
import { IMAGE_SUM, LM_SUM, trainingGraph } from "../objective/training-graph.ts";
import { type NamedBuffer, weightFeeds } from "../optimizer/trainable.ts";
import { randomFor } from "../step-random.ts";
import { padRows } from "./batches.ts";
import type { LatentStore } from "./latent-store.ts";
import type { ModelTrainConfig } from "./model-train-config.ts";
import { captionOf } from "./samples.ts";
import { imageTextSample, type TrainingSample } from "./training-sample.ts";

/** Samples in a run of the engine. */
const BATCH = 16;

/** A held-out sample: the same text and picture, and the same picture under another sample's caption. */
export interface HeldOutSample {
  readonly index: number;
  readonly own: TrainingSample;
  readonly other: TrainingSample;
}

interface Batch {
  readonly own: TrainingFeeds;
  readonly other: TrainingFeeds;
}

/** The same samples, in the order that is learnt, the same times and noise at every validation, so that runs and steps compare. */
export class ModelValidation {
  readonly #session: Session;
  readonly #batches: readonly Batch[];

  private constructor(session: Session, batches: readonly Batch[]) {
    this.#session = session;
    this.#batches = batches;
  }

  static async create(
    engine: Engine,
    config: NextStepConfig,
    samples: readonly HeldOutSample[],
    latents: LatentStore,
    {
      pad,
      rowLag,
      base,
    }: { readonly pad: number; readonly rowLag: number | null; readonly base?: FrozenBase },
  ): Promise<ModelValidation> {
    const batches: Batch[] = [];
    for (let start = 0; start < samples.length; start += BATCH) {
      const group = samples.slice(start, start + BATCH);
      const tokens = await latents.load(group.map(({ index }) => ({ sample: index, image: 0 })));
      const feedsOf = (kind: "own" | "other"): TrainingFeeds => {
        const rows = group.map((sample) => ({ sample: sample[kind], images: [] }));
        const images = tokens.map(({ tokens: clean, grid }) => ({
          ...{ tokens: clean, read: clean, predicted: true },
          order: rowLag === null ? undefined : new DrawingOrder(grid, rowLag),
        }));
        const batch: TokenRows = { ...padRows(rows, pad), images };
        const rng = randomFor(0, "validation", start);
        return trainingFeeds(config, batch, drawFlow(config, predictionCount(config, batch), rng));
      };
      batches.push({ own: feedsOf("own"), other: feedsOf("other") });
    }
    const parts = { images: true, imageLoss: true, maskPerRow: rowLag !== null };
    const { metrics } = trainingGraph(config, parts, base);
    const isInput = (name: string): boolean => base?.isTrained(name) !== false;
    const graph = writeOnnx(
      { ...metrics },
      { parameters: (name) => (isInput(name) ? "input" : "initializer") },
    );
    const session = await engine.createSession(graph, base?.weights);
    return new ModelValidation(session, batches);
  }

  /**
   * @returns `lm_loss`, `image_loss`, and `caption_gap`: by how much the image loss rises under a wrong caption. A model
   * that only continues its prefix has none, however small its loss.
   */
  async run(weights: readonly NamedBuffer[]): Promise<Record<string, number>> {
    const inputs = new Set(this.#session.model.inputs.map(({ name }) => name));
    const parameters = weightFeeds(weights.filter(({ name }) => inputs.has(name)));
    const total = { lm: 0, lmCount: 0, image: 0, wrong: 0, imageCount: 0 };
    for (const { own, other } of this.#batches) {
      const sums = await this.#sums(own, parameters, inputs);
      total.lm += sums.lm;
      total.lmCount += own.lmCount;
      total.image += sums.image;
      total.imageCount += own.imageCount;
      total.wrong += (await this.#sums(other, parameters, inputs)).image;
    }
    const image = total.image / total.imageCount;
    return {
      lm_loss: total.lm / total.lmCount,
      image_loss: image,
      caption_gap: total.wrong / total.imageCount - image,
    };
  }

  async #sums(
    { feeds }: TrainingFeeds,
    parameters: ReturnType<typeof weightFeeds>,
    inputs: ReadonlySet<string>,
  ): Promise<{ lm: number; image: number }> {
    // The factors of the loss are no inputs of a graph without it.
    const given = Object.fromEntries(Object.entries(feeds).filter(([name]) => inputs.has(name)));
    const results = await this.#session.run({ ...parameters, ...given });
    return { lm: Number(results[LM_SUM]!.data[0]), image: Number(results[IMAGE_SUM]!.data[0]) };
  }

  async dispose(): Promise<void> {
    await this.#session.dispose();
  }
}

/**
 * The first held-out samples that can be used, with their likeliest caption, and with that of the sample half a set away.
 * @param faults takes note of the others.
 * @throws DataFormatError when too many cannot be used, or none can.
 */
export async function heldOutSamples(
  data: Pick<TarDataset, "length" | "textAt" | "placeOf">,
  latents: Pick<LatentStore, "gridsOf">,
  tokenizer: TextTokenizer,
  config: Pick<ModelTrainConfig, "captions" | "validationSamples">,
  faults: { readonly found: FaultySamples; readonly set: string },
): Promise<HeldOutSample[]> {
  const found: { readonly index: number; readonly caption: string; readonly grid: Grid }[] = [];
  for (let index = 0; index < data.length && found.length < config.validationSamples; index++) {
    try {
      found.push(await onSample(data.placeOf(index), () => readHeldOut(data, latents, index, config)));
    } catch (error) {
      faults.found.leaveOut(error, { set: faults.set, index, of: data.length });
    }
  }
  if (found.length === 0)
    throw new DataFormatError("holds no sample that can be used", { where: faults.set });
  return found.map(({ index, caption, grid }, place) => {
    const other = found[(place + Math.ceil(found.length / 2)) % found.length]!.caption;
    const options = { dropText: false };
    return {
      index,
      own: imageTextSample(tokenizer, caption, grid, options),
      other: imageTextSample(tokenizer, other, grid, options),
    };
  });
}

async function readHeldOut(
  data: Pick<TarDataset, "textAt">,
  latents: Pick<LatentStore, "gridsOf">,
  index: number,
  { captions }: Pick<ModelTrainConfig, "captions">,
): Promise<{ index: number; caption: string; grid: Grid }> {
  const rng = randomFor(0, "validation caption", index);
  const caption = captionOf(await data.textAt(index), captions, () => rng.uniform());
  const [grid] = await latents.gridsOf(index);
  if (grid === undefined) throw new DataFormatError("has no picture");
  return { index, caption, grid };
}
