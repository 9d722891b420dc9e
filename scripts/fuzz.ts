/**
 * @file `npm run fuzz -- [--count 100000] [--seed 1] [--first 0] [--only FORMAT] [--json]`: mutated files through
 * every reader. Each format runs in a process of its own, so that a hang or an exhausted memory is a finding too.
 */

import { fork } from "node:child_process";
import { fileURLToPath } from "node:url";
import { type FuzzReport, fuzz } from "./fuzz/run.ts";
import { fuzzTargets } from "./fuzz/targets.ts";
import { refuseUsage, toolOptions, wholeOption } from "./tool-options.ts";

/** 500 inputs take a tenth of a second, on a busy machine half a minute; silence beyond that is a hang. */
const SILENCE_MS = 300_000;
/** In MiB: readers hold headers only, so a run that needs more has a leak or a bomb. */
const HEAP_LIMIT = 256;

type Message = { readonly done: number } | { readonly report: FuzzReport };

const DEFAULTS = Object.freeze({ count: "100000", seed: "1", first: "0" });
const HELP = `
Usage: npm run fuzz -- [options]

Sends mutated files through every reader; exit 1 if any of them fails.

Options:
  --count N      inputs of each format (default: ${DEFAULTS.count})
  --seed N       decides all mutations (default: ${DEFAULTS.seed})
  --first N      number of the first input, to repeat one (default: ${DEFAULTS.first})
  --only FORMAT  (default: all formats)
  --json         print JSON`;

const { values } = toolOptions("fuzz", HELP, {
  options: {
    count: { type: "string", default: DEFAULTS.count },
    seed: { type: "string", default: DEFAULTS.seed },
    first: { type: "string", default: DEFAULTS.first },
    only: { type: "string" },
    json: { type: "boolean", default: false },
    worker: { type: "boolean", default: false },
  },
});
const integer = (name: keyof typeof DEFAULTS): number => wholeOption("fuzz", name, values[name]);
const range = { seed: integer("seed"), first: integer("first"), count: integer("count") };

const all = await fuzzTargets();
const targets = all.filter(({ name }) => values.only === undefined || name === values.only);
if (values.worker) {
  const send = (message: Message): boolean => process.send?.(message) ?? false;
  for (const target of targets) send({ report: await fuzz(target, range, (done) => send({ done })) });
  process.disconnect?.();
} else {
  if (targets.length === 0) {
    const names = all.map(({ name }) => name).join(", ");
    refuseUsage("fuzz", `--only "${values.only}" is no format: name one of ${names}`);
  }
  const reports: FuzzReport[] = [];
  for (const { name } of targets) {
    const report = await runApart(name);
    reports.push(report);
    if (!values.json) console.log(summary(report));
  }
  if (values.json) console.log(JSON.stringify({ ...range, formats: reports }, null, 2));
  if (reports.some(({ failures }) => failures.length > 0)) process.exitCode = 1;
}

function summary(report: FuzzReport): string {
  const memory = (report.mostBytes / 2 ** 20).toFixed(1);
  const line =
    `${report.format}: ${report.inputs} inputs, ${report.accepted} accepted, ${report.refused} refused, ` +
    `${report.failures.length} failures, slowest ${report.slowestMs.toFixed(1)} ms, ` +
    `most memory ${memory} MiB, ${report.seconds.toFixed(1)} s`;
  return [line, ...report.failures].join("\n  ");
}

/** One format in a child process, which is ended if it falls silent. */
async function runApart(format: string): Promise<FuzzReport> {
  const numbers = [`--count=${range.count}`, `--seed=${range.seed}`, `--first=${range.first}`];
  const child = fork(fileURLToPath(import.meta.url), ["--worker", `--only=${format}`, ...numbers], {
    execArgv: [...process.execArgv, `--max-old-space-size=${HEAP_LIMIT}`],
  });
  return new Promise((resolve) => {
    let done = 0;
    let report: FuzzReport | undefined;
    let silent = false;
    const onSilence = (): void => {
      silent = true;
      child.kill("SIGKILL");
    };
    let timer = setTimeout(onSilence, SILENCE_MS);
    child.on("message", (message: Message) => {
      clearTimeout(timer);
      timer = setTimeout(onSilence, SILENCE_MS);
      if ("report" in message) report = message.report;
      else done = message.done;
    });
    child.on("exit", (code, signal) => {
      clearTimeout(timer);
      const reason = silent ? "hangs" : `ends the process (${signal ?? code})`;
      const place = `an input from number ${range.first + done} on ${reason}`;
      const lost = { accepted: 0, refused: 0, seconds: 0, slowestMs: 0, mostBytes: 0, failures: [place] };
      resolve(report ?? { format, inputs: done, ...lost });
    });
  });
}
