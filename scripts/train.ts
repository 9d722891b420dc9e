/** @file Trains from a config file: `npx tsx scripts/train.ts tokenizer configs/tokenizer.json`. */
import { progressPrinter } from "../src/train/progress-log.ts";
import { tokenizerConfigSchema } from "../src/train/tokenizer-config.ts";
import { trainTokenizer } from "../src/train/tokenizer-stage.ts";
import { loadTrainConfig } from "../src/train/train-config.ts";

const [stage, file] = process.argv.slice(2);
if (stage !== "tokenizer" || file === undefined) {
  process.stderr.write("usage: train.ts tokenizer CONFIG\n");
  process.exit(2);
}
const stop = new AbortController();
process.once("SIGINT", () => stop.abort());
const config = await loadTrainConfig(tokenizerConfigSchema, file);
await trainTokenizer(config, { signal: stop.signal, onEvent: progressPrinter(process.stderr) });
