/** @file The sample grid of model training: fixed prompts, drawn with fixed noise. */
import { openModelFolder } from "../../checkpoint/model-folder.ts";
import { LocalFolder } from "../../files/local-folder.ts";
import { nodeZlib } from "../../files/zlib.ts";
import { drawTokens } from "../../generate/draw-tokens.ts";
import { decodePicture } from "../../generate/image-coder.ts";
import { ModelSessions } from "../../generate/model-sessions.ts";
import { promptTokenRows } from "../../generate/prompt-rows.ts";
import { seededNoise } from "../../generate/token-noise.ts";
import { encodePng } from "../../image/encode-png.ts";
import type { RgbImage } from "../../image/pixels.ts";
import { tokenWidth } from "../../model/config.ts";
import { LocalEngine } from "../../runtime/local-engine.ts";
import { buildPromptRows } from "../../sequence/prompt.ts";
import type { TextTokenizer } from "../../sequence/tokenizer.ts";
import { pictureGrid } from "../loop/picture-grid.ts";
import type { ModelTrainConfig } from "./model-train-config.ts";

const COLUMNS = 4;

/**
 * Draws the configured prompts with the model in `folder`, a row of four after the other.
 * @returns a PNG.
 */
export async function drawPromptGrid(
  folder: string,
  tokenizer: TextTokenizer,
  config: Pick<ModelTrainConfig, "samples" | "imageSize" | "engine">,
): Promise<Uint8Array> {
  const { samples, imageSize, engine: settings } = config;
  const { threads, spin } = settings;
  // An engine of its own, so that the weights bound here are freed with it.
  await using engine = new LocalEngine({ spin, ...(threads === null ? {} : { threads }) });
  await using model = await openModelFolder(new LocalFolder(folder));
  const sessions = new ModelSessions(engine, model);
  const prompt = buildPromptRows(tokenizer, {
    captions: samples.prompts,
    images: null,
    imagesPerCaption: 1,
    positive: null,
    negative: null,
    size: [imageSize, imageSize],
    cfg: samples.guidance,
    cfgImg: 1,
    code: "P-B",
  });
  const [height, width] = prompt.grid;
  const elements = tokenWidth(model.config);
  const drawn = samples.prompts.map(() => new Float32Array(height * width * elements));
  const steps = drawTokens(sessions, {
    rows: promptTokenRows(prompt, []),
    branches: prompt.branches,
    count: height * width,
    sampler: "ode",
    solver: { steps: samples.steps },
    guidance: { cfg: samples.guidance, cfgImg: 1, schedule: "constant" },
    noise: seededNoise(samples.prompts.map((_prompt, index) => index)),
    useNorm: false,
  });
  for await (const { index, token } of steps) {
    drawn.forEach((tokens, picture) => {
      tokens.set(token.subarray(picture * elements, (picture + 1) * elements), index * elements);
    });
  }
  const pictures: RgbImage[] = [];
  for (const tokens of drawn) pictures.push((await decodePicture(sessions, tokens, prompt.grid)).pixels);
  const rows = Array.from({ length: Math.ceil(pictures.length / COLUMNS) }, (_, row) =>
    pictures.slice(row * COLUMNS, (row + 1) * COLUMNS),
  );
  return encodePng(pictureGrid(rows), nodeZlib);
}
