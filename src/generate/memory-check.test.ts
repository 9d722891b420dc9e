import { describe, expect, it } from "vitest";
import { openModelFolder } from "../checkpoint/model-folder.ts";
import { InsufficientMemoryError } from "../errors.ts";
import { LocalFolder } from "../files/local-folder.ts";
import { parseAutoencoderConfig } from "../model/autoencoder-config.ts";
import { parseNextStepConfig } from "../model/config.ts";
import { autoencoderParameters, modelParameters } from "../model/parameter-list.ts";
import type { WeightPlan } from "../model/weight-format.ts";
import { nodePlatform } from "../node/platform.ts";
import { MemoryCheck, memoryOf } from "./memory-check.ts";
import { type DrawingMemory, MemoryEstimator, type MemoryPart, type ModelMemory } from "./memory-estimate.ts";
import { Model } from "./model.ts";
import type { Platform } from "./platform.ts";
import { testModelPath } from "./test-models.ts";

const GB = 1e9;
const NOTHING: ReadonlySet<MemoryPart> = new Set(["program"]);

const { config } = parseNextStepConfig(
  {
    hidden_size: 5120,
    intermediate_size: 13_824,
    num_attention_heads: 40,
    num_key_value_heads: 8,
    head_dim: 128,
    num_hidden_layers: 48,
    vocab_size: 152_064,
    fm_head_dim: 1536,
    fm_head_layers: 12,
    rope_theta: 1e6,
    max_position_embeddings: 131_072,
    boi: 151_667,
    eoi: 151_668,
    image_placeholder_id: 151_669,
    pad_token_id_added: 151_665,
  },
  "config",
);
const { config: autoencoder } = parseAutoencoderConfig(
  { ch: 128, ch_mult: [1, 2, 4, 4], num_res_blocks: 2 },
  "vae",
  "v1.1",
);
const parameters = modelParameters(config);
const autoencoderWeights = autoencoderParameters(autoencoder);

/** So few layers that its weights go through memory when they are repacked. */
function small(model: ModelMemory): ModelMemory {
  const few = { ...model.config, layers: 4 };
  return { ...model, config: few, parameters: modelParameters(few) };
}

/** The published sizes, with the layers' matrices as a plan has them. */
function published(weightPlan: WeightPlan, repacked = false): ModelMemory {
  return {
    config,
    parameters,
    weightPlan,
    repacked,
    autoencoder: { config: autoencoder, parameters: autoencoderWeights, weightPlan: () => "float32" },
  };
}
const blocks =
  (bits: 4 | 8): WeightPlan =>
  (name) =>
    /^(?:layers.*proj|image_head.*(?:mlp|Mod|embed).*|image_out.*|lm_head)\S*\.weight$/.test(name)
      ? { bits, blockSize: 64, symmetric: false }
      : "float32";

const picture = (side: number, pictures = 1): DrawingMemory => ({
  grid: [side / 16, side / 16],
  pictures,
  rows: 2 * pictures,
  promptTokens: 40,
});

/** What is thrown. */
function refusal(work: () => void): InsufficientMemoryError {
  try {
    work();
  } catch (error) {
    if (error instanceof InsufficientMemoryError) return error;
    throw error;
  }
  throw new Error("was not refused");
}

describe("MemoryEstimator", () => {
  it("gives what the published shape took in 4 bits, and grows with pictures and sizes", () => {
    const estimator = new MemoryEstimator(published(blocks(4)));
    const { peak, parts } = estimator.estimate(picture(256));
    expect(peak / GB).toBeGreaterThan(9.5);
    expect(peak / GB).toBeLessThan(11.5);
    // 300 places in steps of 128, two rows, 48 layers of 8 keys and values of 128 numbers.
    expect(parts.caches).toBe(384 * 2 * 48 * 2 * 8 * 128 * 4);
    expect(estimator.estimate(picture(256, 4)).parts.caches).toBe(4 * parts.caches);
    expect(estimator.estimate(picture(512)).parts.decoding).toBeGreaterThan(3.9 * parts.decoding);
  });

  it("counts the caches that the last ones were copied from, where they grew", () => {
    const estimator = new MemoryEstimator(published(blocks(4)));
    const { parts } = estimator.estimate(picture(256));
    expect(parts["outgrown caches"]).toBe(32 * 2 ** 20);
    const one = new MemoryEstimator({ ...published(blocks(4)), config: { ...config, layers: 1 } });
    const { parts: few } = one.estimate(picture(256));
    expect(few["outgrown caches"]).toBe((256 / 384) * few.caches);
    expect(estimator.estimate(picture(64)).parts["outgrown caches"]).toBe(0);
  });

  it("takes more for results that fill little of the arena's regions, and never less for a larger picture", () => {
    const estimator = new MemoryEstimator(published(blocks(4)));
    // Results of 64 MiB, and of 72 MiB in regions of 128.
    const decoding = (side: number): number => estimator.estimate(picture(side)).parts.decoding;
    expect(decoding(272)).toBeGreaterThan(1.4 * decoding(256));
    const sides = Array.from({ length: 25 }, (_, at) => 128 + 16 * at);
    for (const side of sides) expect(decoding(side + 16)).toBeGreaterThan(0.995 * decoding(side));
  });

  it("counts 16-bit weights as the float32 that they are bound as, and buffers of what is repacked", () => {
    const half = new MemoryEstimator(published(() => "bfloat16")).estimate(picture(256));
    expect(half.parts.transformer).toBeCloseTo(4 * 13.2e9, -9);
    const repacked = new MemoryEstimator(small(published(blocks(4), true))).estimate(picture(64));
    expect(repacked.opening - repacked.parts.program).toBe(3 * repacked.parts.transformer);
    const large = new MemoryEstimator(published(blocks(4), true)).estimate(picture(256));
    expect(large.opening - large.parts.program).toBe(large.parts.transformer);
  });
});

describe("the ceiling of an estimate", () => {
  it("is above it, and not far where pictures are few", () => {
    const estimator = new MemoryEstimator(published(blocks(4)));
    for (const [side, pictures] of [
      [16, 1],
      [256, 1],
      [1024, 1],
      [512, 8],
    ] as const) {
      for (const promptTokens of [1, 40, 500]) {
        const request = { ...picture(side, pictures), promptTokens };
        const [ceiling, exact] = [estimator.ceiling(request), estimator.estimate(request)];
        expect(ceiling.parts.activations).toBeGreaterThanOrEqual(exact.parts.activations);
        if (pictures === 1) expect(ceiling.peak).toBeLessThan(1.1 * exact.peak);
      }
    }
  });
});

describe("the parts of an estimate", () => {
  const { parts } = new MemoryEstimator(published(blocks(4))).estimate(picture(256));
  const estimate = (change: Partial<DrawingMemory>) =>
    new MemoryEstimator(published(blocks(4))).estimate({ ...picture(256), ...change }).parts;

  it("hold the LM head where text is written, and no image head or autoencoder where nothing else is", () => {
    expect(parts["lm head"]).toBe(0);
    const thinking = estimate({ writtenTokens: 513 });
    expect(thinking["lm head"]).toBeGreaterThan(152_064 * 2560);
    expect(thinking.caches).toBeGreaterThan(parts.caches);
    const written = estimate({ grid: [0, 0], pictures: 0, rows: 1, writtenTokens: 100 });
    expect(written["lm head"]).toBe(thinking["lm head"]);
    expect(written).toMatchObject({ "image head": 0, decoder: 0, decoding: 0, pictures: 0 });
  });

  it("hold the encoder where images are given", () => {
    expect(parts).toMatchObject({ encoder: 0, encoding: 0 });
    const edit = estimate({ images: [[256, 256]] });
    expect(edit.encoder).toBeGreaterThan(100e6);
    expect(edit.encoding).toBeGreaterThan(100e6);
  });
});

describe("MemoryCheck", () => {
  it("refuses weights that do not fit, and says that 4 bits would", () => {
    const available = { bytes: 16 * GB, of: "this machine" };
    const check = new MemoryCheck(published(() => "bfloat16"));
    const { message, needed } = refusal(() => check.refuseWeights(available));
    expect(message).toMatch(/the weights take 5\d\.\d GB, and 16\.0 GB of this machine are free/);
    expect(message).toMatch(/in 4 bits they take \d\.\d+ GB: `nextstep convert`.*--no-memory-check/);
    expect(needed).toBeGreaterThan(50 * GB);
    new MemoryCheck(published(blocks(4))).refuseWeights(available);
  });

  it("gives programs all that its refusals say", () => {
    const available = { bytes: 16 * GB, of: "this machine" };
    const refused = refusal(() => new MemoryCheck(published(() => "bfloat16")).refuseWeights(available));
    const { reason, remedy, needed } = refused;
    expect(JSON.parse(JSON.stringify(refused))).toEqual({
      ...{ name: "InsufficientMemoryError", code: "memory", where: "memory" },
      ...{ reason, remedy, needed, available: 16 * GB },
    });
    expect(refused.message).toBe(`memory: ${reason} (${remedy})`);
  });

  it("says of what others quantized that it takes more while it is repacked, which a conversion does not", () => {
    const check = new MemoryCheck(small(published(blocks(4), true)));
    const { message } = refusal(() => check.refuseWeights({ bytes: 1.5 * GB, of: "this machine" }));
    expect(message).toMatch(/for a moment, while they are repacked.*nextstep convert/);
    const large = new MemoryCheck(published(blocks(4), true));
    large.refuseWeights({ bytes: 16 * GB, of: "this machine" });
    const tight = refusal(() => large.refuseWeights({ bytes: 4 * GB, of: "this machine" }));
    expect(tight.message).not.toMatch(/for a moment/);
  });

  it("refuses a drawing with the largest size and the number that would fit, and those do", () => {
    const check = new MemoryCheck(published(blocks(4)));
    const available = { bytes: 12 * GB, of: "this machine" };
    const { message } = refusal(() => check.refuseDrawing(picture(1024, 4), available, NOTHING));
    const [, side, other] = /(\d+) x (\d+) would fit/.exec(message) ?? [];
    expect(side).toBe(other);
    check.refuseDrawing(picture(Number(side), 4), available, NOTHING);
    expect(() => check.refuseDrawing(picture(Number(side) + 16, 4), available, NOTHING)).toThrow(
      InsufficientMemoryError,
    );
    const batch = refusal(() => check.refuseDrawing(picture(256, 32), available, NOTHING)).message;
    const count = Number(/(\d+) at once would fit/.exec(batch)?.[1]);
    check.refuseDrawing(picture(256, count), available, NOTHING);
    expect(() => check.refuseDrawing(picture(256, count + 1), available, NOTHING)).toThrow(/at once/);
  });

  it("counts what others that are under way will still take, and says so", () => {
    const check = new MemoryCheck(published(blocks(4)));
    const loaded = new Set<MemoryPart>(["program", "transformer", "image head", "decoder"]);
    const { parts } = new MemoryEstimator(published(blocks(4))).estimate(picture(256, 5));
    const caches = parts.caches + parts["outgrown caches"];
    const needed = caches + parts.activations + parts.decoding + parts.pictures;
    const available = { bytes: needed - 1, of: "this machine" };
    const refuse = (cacheBytes: number) => () =>
      check.refuseDrawing(picture(256, 5), available, loaded, { pictures: 2, cacheBytes });
    expect(refuse(0)).toThrow(/5 pictures of 256 x 256 \(2 of them under way\).*wait until.*2 at once/);
    expect(refuse(2)).not.toThrow();
  });

  it("asks only for what is not in memory already", () => {
    const check = new MemoryCheck(published(blocks(4)));
    const available = { bytes: 2 * GB, of: "this machine" };
    expect(() => check.refuseDrawing(picture(256), available, NOTHING)).toThrow(InsufficientMemoryError);
    check.refuseDrawing(
      picture(256),
      available,
      new Set(["program", "transformer", "image head", "decoder"]),
    );
  });
});

describe("an open model", () => {
  const short = (bytes: number) => ({
    ...nodePlatform,
    availableMemory: () => ({ bytes, of: "this machine" }),
  });

  it("is refused, or its drawing, before a weight is read; and not where it is told not to look", async () => {
    const path = testModelPath("v1.1");
    await expect(Model.open(short(1000), path)).rejects.toThrow(InsufficientMemoryError);
    await using folder = await openModelFolder(new LocalFolder(path));
    const model = memoryOf(folder) as ModelMemory;
    const { parts, opening } = new MemoryEstimator(model).estimate(picture(16));
    const picturePixels = { width: 32, height: 32, data: new Uint8Array(3 * 32 * 32) };
    let engines = 0;
    const enough: Platform = {
      ...short(opening - parts.program),
      createEngine: (options) => {
        engines++;
        return nodePlatform.createEngine(options);
      },
    };
    await using open = await Model.open(enough, path);
    await expect(open.draw("a cat", { size: { width: 512, height: 512 } })).rejects.toThrow(
      /512 x 512 takes/,
    );
    await expect(open.write("a cat").text()).rejects.toThrow(/text of \d+ tokens takes/);
    await expect(open.caption(picturePixels).text()).rejects.toThrow(/text of \d+ tokens takes/);
    // The autoencoder has an engine of its own: nothing was encoded.
    expect(engines).toBe(1);
    await using unchecked = await Model.open(enough, path, { checkMemory: false });
    const drawing = unchecked.start("a cat", { size: { width: 32, height: 32 }, steps: 1 });
    expect(await drawing.pictures()).toHaveLength(1);
  });
});
