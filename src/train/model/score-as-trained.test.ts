/** @file A picture's score is the image loss that training would compute of it, at the same times and with the same noise. */
import { expect, it } from "vitest";
import { openModelFolder } from "../../checkpoint/model-folder.ts";
import { LocalFolder } from "../../files/local-folder.ts";
import { scoreTimes } from "../../generate/score-picture.ts";
import { testModelPath } from "../../generate/test-models.ts";
import { writeOnnx } from "../../graph/onnx-writer.ts";
import { tokenWidth } from "../../model/config.ts";
import { open } from "../../node/open-model.ts";
import { LocalEngine } from "../../runtime/node/local-engine.ts";
import { loadTokenizer } from "../../sequence/tokenizer.ts";
import { CounterRng } from "../../tensor/counter-rng.ts";
import { fillNoise } from "../../tensor/noise.ts";
import { trainingFeeds } from "../objective/training-feeds.ts";
import { IMAGE_SUM, trainingGraph } from "../objective/training-graph.ts";
import { padRows } from "./batches.ts";
import { imageTextSample } from "./training-sample.ts";

const GRID = [3, 4] as const;
const CAPTION = "a red apple on a table";
const SEED = 5;
/** Sums over other shapes of the same products; far below what another token, time or noise changes. */
const TOLERANCE = 1e-5;

it("is the training loss, with the prompt and without", async () => {
  const path = testModelPath("default");
  await using model = await open(path, { threads: 1 });
  await using folder = await openModelFolder(new LocalFolder(path));
  await using engine = new LocalEngine({ threads: 1 });
  const { config, tensors } = folder;
  const tokenizer = await loadTokenizer(folder.files);
  const cells = GRID[0] * GRID[1];
  const width = tokenWidth(config);
  const repeats = config.headBatchMultiplier;
  const tokens = new CounterRng(1).fillNormal(new Float32Array(cells * width));
  const score = await model.score(CAPTION, { grid: GRID, tokens }, { times: repeats, seed: SEED });

  const parts = { images: true, imageLoss: true, maskPerRow: false };
  const { metrics } = trainingGraph(config, parts);
  const graph = writeOnnx({ ...metrics }, { parameters: "initializers" });
  const session = await engine.createSession(graph, tensors.weightSource);
  const times = new Float32Array(cells * repeats);
  const noise = new Float32Array(cells * repeats * width);
  for (let token = 0; token < cells; token++) {
    times.set(scoreTimes(repeats), token * repeats);
    for (let draw = 0; draw < repeats; draw++) {
      const at = (token * repeats + draw) * width;
      fillNoise(noise.subarray(at, at + width), { seed: SEED, token, draw });
    }
  }
  const inputs = new Set(graph.inputs.map(({ name }) => name));
  const losses = [];
  for (const dropText of [false, true]) {
    const sample = imageTextSample(tokenizer, CAPTION, GRID, { dropText });
    const image = { tokens, read: tokens, predicted: true };
    const rows = { ...padRows([{ sample, images: [] }], tokenizer.specials.pad), images: [image] };
    const { feeds, imageCount } = trainingFeeds(config, rows, { times, noise });
    const given = Object.fromEntries(Object.entries(feeds).filter(([name]) => inputs.has(name)));
    const result = await session.run(given);
    losses.push(Number(result[IMAGE_SUM]!.data[0]) / imageCount);
  }
  expect(Math.abs(score.loss / losses[0]! - 1)).toBeLessThan(TOLERANCE);
  expect(Math.abs(score.unconditional / losses[1]! - 1)).toBeLessThan(TOLERANCE);
  expect(Math.abs(losses[0]! - losses[1]!)).toBeGreaterThan(100 * TOLERANCE * losses[0]!);
});
