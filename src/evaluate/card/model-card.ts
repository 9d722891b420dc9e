/** @file The model card: a text with places for figures, filled from files that commands wrote. */
import { z } from "zod";
import { ConfigError } from "../../errors.ts";
import type { NextStepConfig } from "../../model/config.ts";
import type { Evaluation } from "../emoji/evaluation.ts";
import { cellsOf, formatInterval, formatMarkdown, formatValue } from "../emoji/evaluation-table.ts";
import type { Row } from "../emoji/row.ts";
import type { CurvePanel } from "./curve-picture.ts";
import { type TrainingSummary, trainingSummarySchema } from "./training-summary.ts";

/** Who made the pictures of the data: CREDITS.json of a data set. */
export const creditsSchema = z.array(
  z.object({
    style: z.string(),
    set: z.string(),
    author: z.string(),
    authorUrl: z.string(),
    licence: z.string(),
    package: z.string(),
    version: z.string(),
  }),
);

/** A stage of the default model's training, as a person describes it, and its log below the folder of runs. */
export const stagesSchema = z.array(
  z.strictObject({
    name: z.string(),
    what: z.string(),
    /** Of its run; null: the run's folder is gone, and its summary stays as `training.json` has it. */
    log: z.string().nullable(),
    petaflops: z.number().positive(),
  }),
);

/** What of `training.json` is read back. */
export const trainedStagesSchema = z.array(z.object({ name: z.string(), summary: trainingSummarySchema }));

export interface TrainedStage extends Omit<z.infer<typeof stagesSchema>[number], "log"> {
  readonly summary: TrainingSummary;
}

export interface CardFacts {
  readonly config: NextStepConfig;
  /** Bytes of the weights as they are published. */
  readonly bytes: { readonly transformer: number; readonly autoencoder: number };
  readonly evaluation: Evaluation;
  readonly stages: readonly TrainedStage[];
  readonly credits: z.infer<typeof creditsSchema>;
}

const PLACE = /\{\{\s*([^{}]+?)\s*\}\}/g;

/**
 * Fills the places of a template: `{{name}}` of {@link placesOf}, and `{{row GROUP / SPLIT / MEASURE}}` for a figure of
 * the evaluation with its interval and floor.
 * @throws ConfigError for a place that nothing fills: a card must not go out with a hole or an old figure.
 */
export function fillCard(template: string, facts: CardFacts): string {
  const places = placesOf(facts);
  return template.replace(PLACE, (_, name: string) => {
    const [, key] = /^row (.+)$/s.exec(name) ?? [];
    const text = key === undefined ? places[name] : rowText(facts.evaluation.rows, key);
    if (text !== undefined) return text;
    throw new ConfigError(`nothing fills {{${name}}}`, {
      where: "model card",
      remedy: key === undefined ? `places are ${Object.keys(places).join(", ")}` : "evaluate all measures",
    });
  });
}

function placesOf({ config, bytes, evaluation, stages, credits }: CardFacts): Record<string, string> {
  const { settings, parameters, rows, leftOut } = evaluation;
  const sum = (of: (stage: TrainedStage) => number): number =>
    stages.reduce((total, stage) => total + of(stage), 0);
  const { hiddenSize, layers, heads, kvHeads, intermediateSize } = config;
  return {
    side: String(evaluation.side),
    tokens: String(((config.latentSize / config.latentPatchSize) ** 2) | 0),
    backbone: `${layers} layers, ${hiddenSize} wide, ${heads} heads with ${kvHeads} key/value heads, SwiGLU ${intermediateSize}`,
    head: `${config.headLayers} blocks, ${config.headWidth} wide; a token is ${config.latentChannels * config.latentPatchSize ** 2} numbers`,
    vocabulary: String(config.vocabSize),
    transformer: `${millions(parameters.transformer)} M parameters, float16, ${megabytes(bytes.transformer)} MB`,
    autoencoder: `${millions(parameters.autoencoder)} M parameters, float16, ${megabytes(bytes.autoencoder)} MB`,
    hours: sum(({ summary }) => summary.hours).toFixed(1),
    petaflops: sum((stage) => stage.petaflops).toFixed(2),
    stages: stageTable(stages),
    credits: creditTable(credits),
    figures: formatMarkdown(rows),
    "left out": leftOut.map(({ measure, reason }) => `${measure}: ${reason}`).join("; ") || "nothing",
    date: evaluation.date,
    count: String(evaluation.count),
    seed: String(evaluation.seed),
    settings:
      settings === null
        ? ""
        : `sampler \`${settings.drawing.sampler}\`, guidance ${settings.drawing.cfg}, ${settings.drawing.steps} steps`,
  };
}

const millions = (count: number): string => (count / 1e6).toFixed(2);
const megabytes = (bytes: number): string => (bytes / 1e6).toFixed(1);

/** "91.4 % (85.3 to 95.1; the autoencoder's copies 98.6 %; 144 pictures)". */
function rowText(rows: readonly Row[], key: string): string | undefined {
  const row = rows.find((each) => `${each.group} / ${each.split} / ${each.measure}` === key);
  if (row === undefined) return undefined;
  const { model, floor, unit } = row;
  const interval = formatInterval(model, unit).replace(/ (?:%|dB)$/, "");
  const copies = floor === null ? "" : `; the autoencoder's copies ${formatValue(floor.value, unit)}`;
  return `${formatValue(model.value, unit)} (${interval}${copies}; ${cellsOf(row)[3]} pictures)`;
}

function stageTable(stages: readonly TrainedStage[]): string {
  const lines = stages.map(
    ({ name, what, petaflops, summary: { steps, images, hours } }) =>
      `| ${name} | ${what} | ${steps.toLocaleString("en")} | ${images.toLocaleString("en")} | ${hours.toFixed(1)} | ${petaflops} |`,
  );
  return [
    "| stage | | steps | pictures | hours | PFLOP |",
    "| --- | --- | ---: | ---: | ---: | ---: |",
    ...lines,
  ].join("\n");
}

function creditTable(credits: CardFacts["credits"]): string {
  const lines = credits.map(
    (each) =>
      `| ${each.set} | ${each.style} | ${each.licence} | ${each.author} (${each.authorUrl}) | ${each.package} ${each.version} |`,
  );
  return [
    "| set | style word | licence | credit | package |",
    "| --- | --- | --- | --- | --- |",
    ...lines,
  ].join("\n");
}

/** Loss, and what validation measured, of each stage. */
export function curvePanels(stages: readonly TrainedStage[]): CurvePanel[] {
  return stages.flatMap(({ name, summary: { loss, validation } }) => {
    const metrics = [...new Set(validation.flatMap((each) => Object.keys(each.metrics)))].sort();
    const curve = (metric: string) => ({
      name: metric,
      points: validation.flatMap(({ step, metrics: of }): [number, number][] =>
        of[metric] === undefined ? [] : [[step, of[metric]]],
      ),
    });
    // One panel a kind of metric: decibels and losses do not share an axis.
    const kindOf = (metric: string): string => metric.replace(/^ema\//, "").replace(/@.*$/, "");
    const kinds = [...new Set(metrics.map(kindOf))];
    return [
      { title: `${name}: loss by step`, curves: [{ name: "loss", points: loss }] },
      ...kinds.map((kind) => ({
        title: `${name}: ${kind} on held-out data`,
        curves: metrics
          .filter((metric) => kindOf(metric) === kind)
          .slice(0, MOST_CURVES)
          .map(curve),
      })),
    ];
  });
}

/** More lines in one panel cannot be told apart. */
const MOST_CURVES = 4;
