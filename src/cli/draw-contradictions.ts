/** @file Options of drawing that cannot be meant together, or that would do nothing beside each other. */
import { resolve } from "node:path";
import type { DefaultSettings } from "../generate/default-settings.ts";
import { DEFAULT_COUNT } from "../generate/draw-options.ts";
import { NOISY_SAMPLERS } from "../generate/solvers.ts";
import type { DrawCommandOptions, OutputOptions } from "./draw-options.ts";
import type { Terminal } from "./terminal.ts";

/** What is wrong with where the output of `pictures` pictures is to go, in one line; undefined if nothing is. */
export function outputContradiction(
  { out, json, saveTokens, previewFile, job }: OutputOptions,
  pictures: number,
  terminal: Pick<Terminal, "out">,
): string | undefined {
  const written: [string, string | undefined][] = [
    ["--out", out.kind === "file" ? out.path : undefined],
    ["--save-tokens", saveTokens],
    ["--preview-file", previewFile],
    ["--job", job],
  ];
  const options = new Map<string, string>();
  for (const [option, path] of written) {
    if (path === undefined) continue;
    const other = options.get(resolve(path));
    if (other !== undefined) return `${other} and ${option} name the same file: give two names`;
    options.set(resolve(path), option);
  }
  if (out.kind === "file") {
    if (pictures > 1) return `--out ${out.path} is one file for ${pictures} pictures: name a folder instead`;
  }
  if (out.kind === "stdout") {
    if (pictures > 1) return `--out - takes one picture, not ${pictures}: name a folder instead`;
    if (json === true) return "--out - and --json both want standard output: name a file.png";
    if (terminal.out.isTTY === true)
      return "--out - would fill the terminal with a PNG: send it on with > or |, or name a file.png";
  }
  return undefined;
}

/** The first contradiction of a command line that draws, in one line; undefined if there is none. */
export function drawContradiction(
  prompts: readonly string[],
  options: DrawCommandOptions,
  terminal: Pick<Terminal, "out">,
): string | undefined {
  const { size, aspect, sampler, noiseLevel, image, cfg, cfgImg, cfgSchedule, negative } = options;
  const { cfgUntil, steps, lastSteps } = options;
  if (size !== undefined && aspect !== undefined)
    return "--size and --aspect exclude each other: give one of them";
  if (noiseLevel !== undefined && sampler !== undefined && !NOISY_SAMPLERS.includes(sampler))
    return `--noise-level does nothing with --sampler ${sampler}: use ${NOISY_SAMPLERS.join(" or ")}`;
  if (typeof lastSteps === "number" && steps !== undefined && lastSteps > steps)
    return `--last-steps ${lastSteps} is more than --steps ${steps}: steps fall along the tokens`;
  if (cfgImg !== undefined && cfgImg !== 1 && image === undefined)
    return "--cfg-img does nothing without --image: give a picture or leave it out";
  if (cfg === 1) {
    const idle = [
      ...(cfgImg !== undefined && cfgImg !== 1 ? ["--cfg-img"] : []),
      ...(cfgSchedule === "linear" ? ["--cfg-schedule linear"] : []),
      ...(cfgUntil !== undefined && cfgUntil !== 1 ? ["--cfg-until"] : []),
      ...((negative ?? "") === "" ? [] : ["--negative"]),
    ];
    if (idle[0] !== undefined)
      return `${idle[0]} does nothing with --cfg 1, which is no guidance: leave one of them out`;
  }
  if (options.bestOf !== undefined && options.count !== undefined)
    return "--best-of and --count exclude each other: the first keeps one picture of each prompt";
  if (options.by !== undefined && options.bestOf === undefined)
    return "--by does nothing without --best-of: add it or leave it out";
  for (const source of ["data", "features"] as const) {
    if (options[source] !== undefined && typeof options.by !== "object")
      return `--${source} does nothing without --by of a reward: add it or leave it out`;
  }
  if (options.think !== true) {
    const idle = (["thinkTokens", "thinkTemperature"] as const).find((name) => options[name] !== undefined);
    if (idle !== undefined) {
      const option = { thinkTokens: "--think-tokens", thinkTemperature: "--think-temperature" }[idle];
      return `${option} does nothing without --think: add it or leave it out`;
    }
  }
  return outputContradiction(options, prompts.length * (options.count ?? DEFAULT_COUNT), terminal);
}

/** The same of a command line beside the settings that the model has of its own. */
export function ownContradiction(
  options: DrawCommandOptions,
  { drawing, editing }: DefaultSettings,
): string | undefined {
  const own = options.image === undefined ? drawing : editing;
  const { noiseLevel, sampler = own.sampler, stepSchedule } = options;
  const { steps = own.steps, lastSteps = own.lastSteps } = options;
  if (noiseLevel !== undefined && !NOISY_SAMPLERS.includes(sampler))
    return `--noise-level does nothing with ${sampler}, which the model draws with: add --sampler ${NOISY_SAMPLERS.join(" or ")}`;
  if (stepSchedule !== undefined && lastSteps === null)
    return "--step-schedule does nothing where all tokens have the same steps: add --last-steps";
  if (lastSteps === null || lastSteps <= steps) return undefined;
  return options.lastSteps === undefined
    ? `--steps ${steps} is less than the ${lastSteps} that the model ends with: add --last-steps`
    : `--last-steps ${lastSteps} is more than the ${steps} steps that the model begins with: add --steps`;
}
