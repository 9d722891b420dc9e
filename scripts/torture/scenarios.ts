/** @file All scenarios, in the order in which they are run. */
import { atOnceScenario } from "./at-once.ts";
import { closePipesScenario } from "./close-pipes.ts";
import { disposeScenario } from "./dispose.ts";
import { flipBitsScenario } from "./flip-bits.ts";
import { fullDiskScenario } from "./full-disk.ts";
import { killConvertScenario } from "./kill-convert.ts";
import { killDrawingScenario } from "./kill-drawing.ts";
import { killJobScenario } from "./kill-job.ts";
import { killServersScenario, killServeScenario } from "./kill-serve.ts";
import { killTrainingScenario } from "./kill-training.ts";
import { phoneHomeScenario } from "./phone-home.ts";
import type { Scenario } from "./scenario.ts";
import { signalTrainingScenario } from "./signal-training.ts";

export const SCENARIOS: readonly Scenario[] = [
  killTrainingScenario,
  signalTrainingScenario,
  killDrawingScenario,
  fullDiskScenario,
  flipBitsScenario,
  atOnceScenario,
  closePipesScenario,
  disposeScenario,
  phoneHomeScenario,
  killJobScenario,
  killConvertScenario,
  killServeScenario,
  killServersScenario,
];
