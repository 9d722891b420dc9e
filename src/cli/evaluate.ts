/** @file `nextstep evaluate BENCHMARK`: draws its pictures, and says how they are scored. */
import { resolve } from "node:path";
import type { Benchmark } from "../evaluate/benchmarks/benchmark.ts";
import { BENCHMARKS } from "../evaluate/benchmarks/benchmarks.ts";
import { fileName } from "../evaluate/benchmarks/prompt-files.ts";
import { runBenchmark } from "../evaluate/benchmarks/run-benchmark.ts";
import { nodePlatform } from "../node/platform.ts";
import { adapterChoices, adaptersToOpen } from "./adapter-options.ts";
import {
  DEFAULT_AT_ONCE,
  DEFAULT_EVALUATION_SEED,
  EVALUATE_SETTINGS,
  type EvaluateCommandOptions,
} from "./evaluate-options.ts";
import { openNamedModel } from "./model-options.ts";
import { progressLine } from "./progress-line.ts";
import type { Terminal } from "./terminal.ts";

/** @param refuse ends the command where options do not fit the benchmark. */
export async function runEvaluate(
  id: string,
  options: EvaluateCommandOptions,
  terminal: Terminal,
  refuse: (contradiction: string | undefined) => void,
): Promise<void> {
  const benchmark = BENCHMARKS.find((own) => own.id === id) as Benchmark;
  refuse(contradictionOf(benchmark, options));
  const { seed = DEFAULT_EVALUATION_SEED, atOnce = DEFAULT_AT_ONCE, out, prompts, images, size } = options;
  const count = options.count ?? (benchmark.counts[0] as number);
  const read = (name: string) => benchmark.items(prompts, { count, name, images });
  const nameOf = (name: string): string => fileName(name, "the model's name", "--name");
  // Names and prompts are checked before the model is opened, which may take minutes; only then is its own name known.
  const expected = nameOf(options.name ?? "model");
  const readBefore = await read(expected);
  const started = performance.now();
  await using model = await openNamedModel(options, terminal, {
    ...adaptersToOpen(options.adapter),
    maxPictures: Math.max(atOnce, count),
  });
  const name = nameOf(options.name ?? model.name);
  const items = name === expected ? readBefore : await read(name);
  const settings = Object.fromEntries(
    EVALUATE_SETTINGS.filter((key) => options[key] !== undefined).map((key) => [key, options[key]]),
  );
  const drawn = {
    ...settings,
    ...(size === undefined ? {} : { size }),
    ...(options.think === true ? { think: true as const } : {}),
    ...adapterChoices(options.adapter),
  };
  const line = progressLine(terminal);
  const asked = JSON.stringify(items.map(({ prompt, files, sources }) => [prompt, files, sources]));
  const outcome = await runBenchmark(model, {
    items,
    out,
    identity: {
      benchmark: id,
      name,
      model: await model.digest(),
      prompts: await nodePlatform.sha256(new TextEncoder().encode(asked)),
      ...{ count, seed, ...drawn },
    },
    ...{ count, seed, atOnce, options: drawn, signal: terminal.signal },
    onProgress: (done, of) => line.update("drawing", done, of),
  }).finally(() => line.clear());
  const facts = {
    ...{ name, count, images },
    out: resolve(out),
    prompts: prompts.map((path) => resolve(path)),
    side: size === undefined ? model.size[0] : size.width,
  };
  const score = benchmark.scoring({ ...facts, images: images && resolve(images) });
  const seconds = Number(((performance.now() - started) / 1000).toFixed(3));
  if (options.json === true) {
    const report = {
      benchmark: id,
      folder: facts.out,
      name,
      prompts: items.length,
      ...outcome,
      seconds,
      score,
    };
    terminal.out.write(`${JSON.stringify(report)}\n`);
    return;
  }
  const { pictures, drawn: made } = outcome;
  terminal.out.write(
    `${pictures} pictures of ${items.length} prompts in ${facts.out}, ${made} of them drawn now\n` +
      `${benchmark.title} is scored by ${benchmark.judge}; in a checkout of ${benchmark.repository}:\n` +
      `${score.map((command) => `  ${command}\n`).join("")}`,
  );
}

/** What does not fit the benchmark, in one line; undefined if nothing is. */
export function contradictionOf(
  { id, counts, square, images }: Benchmark,
  options: Pick<EvaluateCommandOptions, "count" | "size" | "images" | "cfg" | "cfgImg">,
): string | undefined {
  const { count, size } = options;
  if (count !== undefined && !counts.includes(count)) {
    const others = counts.length === 1 ? "; other seeds go to other folders" : "";
    return `--count ${count} does not fit the layout of ${id}, which takes ${counts.join(", ")}${others}`;
  }
  if (square && size !== undefined && size.width !== size.height)
    return `--size ${size.width}x${size.height} does not fit ${id}, whose pictures are squares`;
  if (images === "needed" && options.images === undefined)
    return `${id} edits pictures: give their folder with --images`;
  if (images === "none" && options.images !== undefined)
    return `--images does nothing with ${id}: leave it out`;
  if (options.cfgImg !== undefined && options.cfgImg !== 1 && id !== "gedit" && id !== "imgedit")
    return `--cfg-img does nothing with ${id}, which gives no pictures: leave it out`;
  if (options.cfg === 1 && options.cfgImg !== undefined && options.cfgImg !== 1)
    return "--cfg-img does nothing with --cfg 1, which is no guidance: leave one of them out";
  return undefined;
}
