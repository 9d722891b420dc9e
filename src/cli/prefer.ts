/** @file `nextstep prefer PROMPTS`: draws, scores and pairs. */
import { join, resolve } from "node:path";
import { ADAPTER_WEIGHTS_FILE } from "../checkpoint/adapter/adapter-folder.ts";
import { makePairs } from "../evaluate/preferences/make-pairs.ts";
import { digestFile } from "../files/file-digest.ts";
import { quoted } from "../formats/quoted.ts";
import { nodePlatform } from "../node/platform.ts";
import { readPromptLines } from "../train/data/prompt-lines.ts";
import { adapterChoices, adaptersToOpen } from "./adapter-options.ts";
import { openNamedModel } from "./model-options.ts";
import {
  DEFAULT_PAIRS,
  DEFAULT_PER_PROMPT,
  DEFAULT_PREFER_AT_ONCE,
  DEFAULT_PREFER_SEED,
  PREFER_SETTINGS,
  type PreferCommandOptions,
} from "./prefer-options.ts";
import { progressLine } from "./progress-line.ts";
import { openNamedReward } from "./reward-options.ts";
import type { Terminal } from "./terminal.ts";

/** Prompts without a pair that are told by name. */
const TOLD_PROMPTS = 5;

export async function runPrefer(
  file: string,
  options: PreferCommandOptions,
  terminal: Terminal,
): Promise<void> {
  const { perPrompt = DEFAULT_PER_PROMPT, pairs = DEFAULT_PAIRS, seed = DEFAULT_PREFER_SEED, out } = options;
  const { atOnce = DEFAULT_PREFER_AT_ONCE, apart = 0, size, adapter } = options;
  const prompts = await readPromptLines(file);
  // Prompts that cannot be judged are found before the model is opened.
  await using reward = await openNamedReward(options.reward, prompts, options);
  await using model = await openNamedModel(options, terminal, {
    ...adaptersToOpen(adapter),
    maxPictures: Math.min(atOnce, perPrompt),
  });
  const drawn = {
    ...Object.fromEntries(
      PREFER_SETTINGS.filter((key) => options[key] !== undefined).map((key) => [key, options[key]]),
    ),
    ...(size === undefined ? {} : { size }),
    ...adapterChoices(adapter),
  };
  // Trained further, an adapter is another one under the same name.
  const adapterDigests = await Promise.all(
    (adapter ?? []).map(({ path }) => digestFile(join(path, ADAPTER_WEIGHTS_FILE))),
  );
  const line = progressLine(terminal);
  const started = performance.now();
  const outcome = await makePairs(model, {
    ...{ prompts, reward: reward.reward, out, perPrompt, pairs, apart, seed, atOnce, options: drawn },
    identity: {
      model: await model.digest(),
      prompts: await nodePlatform.sha256(new TextEncoder().encode(JSON.stringify(prompts))),
      ...{ reward: reward.identity, perPrompt, pairs, seed, ...drawn, adapterDigests },
      // Folders that were made without it stay what they are.
      ...(apart === 0 ? {} : { apart }),
    },
    signal: terminal.signal,
    onProgress: (done, of) => line.update("drawing", done, of),
  }).finally(() => line.clear());
  const folder = resolve(out);
  if (options.json === true) {
    const seconds = Number(((performance.now() - started) / 1000).toFixed(3));
    terminal.out.write(`${JSON.stringify({ folder, prompts: prompts.length, ...outcome, seconds })}\n`);
    return;
  }
  const { undecided, reward: means } = outcome;
  if (undecided.length > 0) {
    const told = undecided.slice(0, TOLD_PROMPTS).map(quoted).join(", ");
    const more = undecided.length > TOLD_PROMPTS ? ", ..." : "";
    terminal.err.write(
      `note: no pairs of ${undecided.length} prompts whose pictures have rewards that are ${apart === 0 ? "all the same" : "nowhere so far apart"}: ${told}${more}\n`,
    );
  }
  terminal.out.write(
    `${outcome.pairs} pairs of ${prompts.length} prompts in ${folder}, ${outcome.drawn} pictures drawn now; ` +
      `mean reward ${means.all.toPrecision(3)}, of winners ${means.winners.toPrecision(3)}, of losers ${means.losers.toPrecision(3)}\n`,
  );
}
