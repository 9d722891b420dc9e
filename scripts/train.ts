/** @file Trains from a config file: `npx tsx scripts/train.ts tokenizer|model configs/NAME.json`. */
import { modelConfigSchema } from "../src/train/model-config.ts";
import { trainModel } from "../src/train/model-stage.ts";
import { progressPrinter } from "../src/train/progress-log.ts";
import { tokenizerConfigSchema } from "../src/train/tokenizer-config.ts";
import { trainTokenizer } from "../src/train/tokenizer-stage.ts";
import { loadTrainConfig } from "../src/train/train-config.ts";

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
