/** @file Models closed while they draw, write or caption: one typed error, and a process that ends by itself. */
import { execFile } from "node:child_process";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { PROJECT } from "./command.ts";
import { DrawingReference } from "./drawing-run.ts";
import type { Scenario, Trials } from "./scenario.ts";

const CHILD = fileURLToPath(new URL("./disposal-child.ts", import.meta.url));
/** Loading and drawing of the tiny model take about this. */
const WORK_MS = 500;
const LONGEST_MS = 300_000;

async function dispose(trials: Trials): Promise<void> {
  await DrawingReference.take(trials);
  const delays = Array.from({ length: trials.count }, () => String(trials.rng.below(WORK_MS)));
  const image = join(trials.folder, "reference", "rain-1.png");
  const args = [
    "--import",
    import.meta.resolve("tsx"),
    CHILD,
    trials.workshop.drawingModel,
    image,
    ...delays,
  ];
  const { failure, out, err } = await new Promise<{ failure: Error | null; out: string; err: string }>(
    (resolve) => {
      execFile(process.execPath, args, { cwd: PROJECT, timeout: LONGEST_MS }, (failure, out, err) =>
        resolve({ failure, out, err }),
      );
    },
  );
  for (const line of out.trimEnd().split("\n")) {
    if (line === "") continue;
    const { kind, outcome } = JSON.parse(line) as { kind: string; outcome: string };
    if (outcome.startsWith("untyped")) trials.lost(`${kind}: ${outcome}`);
    else trials.outcome(`${kind}: ${outcome}`);
    trials.next();
  }
  if (failure !== null) trials.lost(`the process failed: ${failure.message}\n${err}`);
  else if (err !== "") trials.lost(`the process said: ${err}`);
}

export const disposeScenario: Scenario = {
  name: "dispose",
  about: "models closed while they draw, write and caption",
  trials: (count) => count,
  run: dispose,
};
