/** @file `npm run torture`: the built command killed, starved of disk, lied to and run twice at once; see `--help`. */
import { execFileSync } from "node:child_process";
import { mkdir, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { CounterRng } from "../src/tensor/counter-rng.ts";
import { PROJECT } from "./torture/command.ts";
import { TortureProgress } from "./torture/progress.ts";
import { type Scenario, type ScenarioReport, Trials } from "./torture/scenario.ts";
import { SCENARIOS } from "./torture/scenarios.ts";
import { Workshop } from "./torture/workshop.ts";

/** No scenario draws as many words, so no two share any. */
const WORDS_OF_SCENARIO = 2 ** 40;

const HELP = `npm run torture -- [--count 50] [--seed N] [--only NAME] [--json]

Builds the command, then tortures it with tiny models and data in a temporary folder. Exit code 1 if anything was
lost; what was lost is told, and its folder is kept.

  --count N    kills, three fifths of them of training; the other scenarios make as many trials in proportion (50)
  --seed N     decides all choices but the machine's own timing (default: random, printed)
  --only NAME  one scenario
  --json       print the report as JSON

Scenarios:
${SCENARIOS.map(({ name, about }) => `  ${name.padEnd(18)}${about}`).join("\n")}`;

const { values } = parseArgs({
  options: {
    count: { type: "string", default: "50" },
    seed: { type: "string", default: String(Math.floor(Math.random() * 1e6)) },
    only: { type: "string" },
    json: { type: "boolean", default: false },
    help: { type: "boolean", default: false },
  },
});

function integer(name: "count" | "seed", least: number): number {
  const value = Number(values[name]);
  if (Number.isSafeInteger(value) && value >= least) return value;
  throw new RangeError(`--${name} must be an integer of ${least} or more`);
}

function chosen(): readonly Scenario[] {
  const scenarios = SCENARIOS.filter(({ name }) => values.only === undefined || name === values.only);
  if (scenarios.length > 0) return scenarios;
  throw new RangeError(`--only "${values.only}" is none of ${SCENARIOS.map(({ name }) => name).join(", ")}`);
}

async function torture(
  scenarios: readonly Scenario[],
  seed: number,
  count: number,
): Promise<ScenarioReport[]> {
  process.stderr.write(`seed ${seed}\n`);
  execFileSync("npm", ["run", "build", "--silent"], { cwd: PROJECT, stdio: ["ignore", "ignore", "inherit"] });
  const root = await mkdtemp(join(tmpdir(), "nextstep-torture-"));
  const workshop = await Workshop.create(root);
  const total = scenarios.reduce((sum, { trials }) => sum + trials(count), 0);
  const progress = new TortureProgress(process.stderr, total);
  const reports: ScenarioReport[] = [];
  for (const scenario of scenarios) {
    const folder = join(root, scenario.name);
    await mkdir(folder);
    const started = performance.now();
    const trials = new Trials({
      rng: new CounterRng(seed, SCENARIOS.indexOf(scenario) * WORDS_OF_SCENARIO),
      count: scenario.trials(count),
      workshop,
      folder,
      onTrial: () => progress.advance(scenario.name),
    });
    try {
      await scenario.run(trials);
    } catch (error) {
      trials.lost(error instanceof Error ? (error.stack ?? error.message) : String(error));
    }
    progress.clear();
    const report = trials.report(scenario.name, (performance.now() - started) / 1000);
    reports.push(report);
    if (report.lost.length === 0) await rm(folder, { recursive: true, force: true });
    if (!values.json) console.log(summary(report));
  }
  if (reports.every(({ lost }) => lost.length === 0)) await rm(root, { recursive: true, force: true });
  else process.stderr.write(`kept for a look: ${root}\n`);
  return reports;
}

function summary({ name, trials, seconds, outcomes, notes, lost }: ScenarioReport): string {
  const head = `${name}: ${trials} trials in ${seconds.toFixed(0)} s, ${lost.length} lost`;
  const counts = Object.entries(outcomes).map(([kind, count]) => `${String(count).padStart(4)}  ${kind}`);
  return [
    head,
    ...notes.map((note) => `      ${note}`),
    ...counts,
    ...lost.map((text) => `LOST  ${text}`),
  ].join("\n  ");
}

if (values.help) console.log(HELP);
else {
  const [seed, count] = [integer("seed", 0), integer("count", 1)];
  const reports = await torture(chosen(), seed, count);
  if (values.json) console.log(JSON.stringify({ seed, count, scenarios: reports }, undefined, 2));
  if (reports.some(({ lost }) => lost.length > 0)) process.exitCode = 1;
}
