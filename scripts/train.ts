/** @file Trains from a config file: `npx tsx scripts/train.ts tokenizer|model configs/NAME.json`. */

import { trainTokenizer } from "../src/train/autoencoder/autoencoder-stage.ts";
import { tokenizerConfigSchema } from "../src/train/autoencoder/autoencoder-train-config.ts";
import { progressPrinter } from "../src/train/loop/progress-log.ts";
import { loadTrainConfig } from "../src/train/loop/train-config.ts";
import { trainModel } from "../src/train/model/model-stage.ts";
import { modelConfigSchema } from "../src/train/model/model-train-config.ts";

const [stage, file] = process.argv.slice(2);
if ((stage !== "tokenizer" && stage !== "model") || file === undefined) {
  process.stderr.write("usage: train.ts tokenizer|model CONFIG\n");
  process.exit(2);
}
const stop = new AbortController();
process.once("SIGINT", () => stop.abort());
const options = { signal: stop.signal, onEvent: progressPrinter(process.stderr) };
if (stage === "tokenizer") await trainTokenizer(await loadTrainConfig(tokenizerConfigSchema, file), options);
else await trainModel(await loadTrainConfig(modelConfigSchema, file), options);
