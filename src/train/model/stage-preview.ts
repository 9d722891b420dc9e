/** @file The sample grid of model training: fixed prompts, drawn with fixed noise. */
import type { Adapter } from "../../checkpoint/adapter/adapter-folder.ts";
import { openModelFolder } from "../../checkpoint/model-folder.ts";
import { LocalFolder } from "../../files/local-folder.ts";
import { nodeZlib } from "../../files/zlib.ts";
import { mixOf } from "../../generate/adapter-mix.ts";
import { Canvas } from "../../generate/canvas.ts";
import { DrawingOrder } from "../../generate/drawing-order.ts";
import { decodePicture } from "../../generate/image-coder.ts";
import { ModelSessions } from "../../generate/model-sessions.ts";
import { promptTokenRows } from "../../generate/prompt-rows.ts";
import { SharedLoop } from "../../generate/shared-loop.ts";
import { Slot } from "../../generate/slot.ts";
import { seededNoise } from "../../generate/token-noise.ts";
import { encodePng } from "../../image/encode-png.ts";
import { gridRows, pictureGrid } from "../../image/picture-grid.ts";
import type { RgbImage } from "../../image/pixels.ts";
import { tokenWidth } from "../../model/config.ts";
import { LocalEngine } from "../../runtime/node/local-engine.ts";
import { buildPromptRows } from "../../sequence/prompt.ts";
import type { TextTokenizer } from "../../sequence/tokenizer.ts";
import type { ModelTrainConfig } from "./model-train-config.ts";

const COLUMNS = 4;

/**
 * Draws the configured prompts with the model in `folder`, in the order that it learns, a row of four after the other.
 * @param adapter that draws along. Default: none.
 * @returns a PNG.
 */
export async function drawPromptGrid(
  folder: string,
  tokenizer: TextTokenizer,
  config: Pick<ModelTrainConfig, "samples" | "imageSize" | "engine" | "rowLag">,
  adapter?: Adapter,
): Promise<Uint8Array> {
  const { samples, imageSize, engine: settings, rowLag } = config;
  const { threads, spin } = settings;
  // An engine of its own, so that the weights bound here are freed with it.
  await using engine = new LocalEngine({ spin, ...(threads === null ? {} : { threads }) });
  await using model = await openModelFolder(new LocalFolder(folder));
  const adapters = new Map(adapter === undefined ? [] : [[adapter.name, adapter] as const]);
  const sessions = new ModelSessions(engine, model, undefined, adapters);
  const mix = mixOf(adapters, adapter === undefined ? [] : [{ name: adapter.name }]);
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
  const rowsOf = promptTokenRows(prompt, []).map((row) => ({ ...row, adapters: mix }));
  const slots = samples.prompts.map(
    (_prompt, index) =>
      new Slot({
        rows: rowsOf.filter((_row, place) => place % prompt.pictures === index),
        canvas: new Canvas(prompt.grid, tokenWidth(model.config), new DrawingOrder(prompt.grid, rowLag)),
        sampler: "ode",
        solver: { steps: samples.steps },
        guidance: { cfg: samples.guidance, cfgImg: 1, schedule: "constant" },
        noise: seededNoise(index),
        useNorm: false,
        name: `sample ${index + 1}`,
      }),
  );
  for await (const _events of new SharedLoop(sessions).draw(slots));
  const pictures: RgbImage[] = [];
  for (const { canvas } of slots) {
    pictures.push((await decodePicture(sessions, canvas.cells(), prompt.grid)).pixels);
  }
  return encodePng(pictureGrid(gridRows(pictures, COLUMNS)), nodeZlib);
}
