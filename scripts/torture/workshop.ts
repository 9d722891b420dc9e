/**
 * @file What the scenarios work on: pictures, data built of them, tiny runs of both training stages, and what each
 * comes to when nothing disturbs it.
 */
import { mkdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { nodeZlib } from "../../src/files/zlib.ts";
import { encodePng } from "../../src/image/encode-png.ts";
import { CounterRng } from "../../src/tensor/counter-rng.ts";
import { mustSucceed, PROJECT } from "./command.ts";
import { folderDigest } from "./folder-digest.ts";

const SIDE = 32;
const PICTURES = 24;
const COLOURS = ["red", "green", "blue"];
/** Small, but with eight pixels a latent, as the model wants them. */
const AUTOENCODER = {
  ch: 8,
  ch_mult: [1, 1, 1, 1],
  num_res_blocks: 1,
  num_groups: 4,
  z_channels: 4,
  psz: 2,
  encoder_norm: true,
};
const MODEL = {
  hidden_size: 16,
  intermediate_size: 24,
  num_hidden_layers: 1,
  num_attention_heads: 2,
  num_key_value_heads: 1,
  latent_channels: 4,
  fm_head_dim: 16,
  fm_head_layers: 1,
  fm_head_batch_mul: 2,
};
const LOOP = { ema: 0.9, validateEvery: 4, sampleEvery: 4, saveEvery: 2, keep: 2, accumulate: 2 };

export type StageName = "autoencoder" | "model";
export const STAGES: readonly StageName[] = ["autoencoder", "model"];

/** What an undisturbed run comes to. */
export interface Reference {
  readonly model: string;
  readonly losses: string;
  /** Of the whole process. */
  readonly milliseconds: number;
}

export class Workshop {
  readonly folder: string;
  readonly #references = new Map<StageName, Reference>();

  private constructor(folder: string) {
    this.folder = folder;
  }

  static async create(folder: string): Promise<Workshop> {
    const workshop = new Workshop(folder);
    await workshop.#drawPictures();
    await mustSucceed(["data", "build", workshop.pictures, workshop.data, "--held-out", "0.2"]);
    return workshop;
  }

  /** Folder of pictures with captions. */
  get pictures(): string {
    return join(this.folder, "pictures");
  }

  /** `train/` and `heldout/`. */
  get data(): string {
    return join(this.folder, "data");
  }

  /** Folder of a tiny model in the published layout, with which pictures are drawn in a second. */
  get drawingModel(): string {
    return join(PROJECT, "test", "parity", "models", "v1.1");
  }

  /** The run that nothing disturbs; taken when it is first asked for. */
  async reference(stage: StageName): Promise<Reference> {
    const known = this.#references.get(stage);
    if (known !== undefined) return known;
    if (stage === "model") await this.reference("autoencoder");
    const output = join(this.folder, `reference-${stage}`);
    const started = performance.now();
    await mustSucceed(["train", stage, await this.writeConfig(stage, output)]);
    const reference = { ...(await this.resultOf(output)), milliseconds: performance.now() - started };
    this.#references.set(stage, reference);
    return reference;
  }

  async resultOf(output: string): Promise<Pick<Reference, "model" | "losses">> {
    const log = await readFile(join(output, "log.jsonl"), "utf8").catch(() => "");
    const losses = log.split("\n").flatMap((line) => {
      const event = line === "" ? {} : (JSON.parse(line) as { type?: string; step?: number; loss?: number });
      return event.type === "step" ? [`${event.step} ${event.loss}`] : [];
    });
    return { model: await folderDigest(join(output, "model")), losses: losses.join("\n") };
  }

  /**
   * Writes `OUTPUT.json`.
   * @param inputs other places of data and autoencoder.
   * @returns its path.
   */
  async writeConfig(
    stage: StageName,
    output: string,
    change: { readonly data?: string; readonly autoencoder?: string; readonly keep?: number } = {},
  ): Promise<string> {
    const { data = join(this.data, "train"), keep = LOOP.keep } = change;
    const shared = {
      output,
      data,
      validationData: join(this.data, "heldout"),
      loop: { ...LOOP, keep },
      engine: { threads: 1 },
    };
    const own =
      stage === "autoencoder"
        ? {
            resolution: SIDE,
            autoencoder: AUTOENCODER,
            phases: [
              { crop: 16, batch: 4, steps: 6 },
              { crop: 32, batch: 2, steps: 4 },
            ],
          }
        : {
            autoencoder: change.autoencoder ?? join(this.folder, "reference-autoencoder", "model", "vae"),
            textTokenizer: { tokens: 280 },
            model: MODEL,
            imageSize: SIDE,
            aspectBuckets: false,
            steps: 10,
            batch: 3,
            packing: null,
            validationSamples: 4,
            samples: { prompts: ["a red square"], steps: 2 },
          };
    const path = `${output}.json`;
    await writeFile(path, JSON.stringify({ ...shared, ...own }, undefined, 2));
    return path;
  }

  async #drawPictures(): Promise<void> {
    await mkdir(this.pictures, { recursive: true });
    const rng = new CounterRng(1);
    for (let index = 0; index < PICTURES; index++) {
      const data = new Uint8Array(3 * SIDE * SIDE);
      for (let at = 0; at < data.length; at++) data[at] = at % 3 === index % 3 ? 200 : rng.below(60);
      const stem = join(this.pictures, `p${index}`);
      await writeFile(`${stem}.png`, await encodePng({ width: SIDE, height: SIDE, data }, nodeZlib));
      await writeFile(`${stem}.txt`, `a ${COLOURS[index % 3]} square, number ${index}`);
    }
  }
}
