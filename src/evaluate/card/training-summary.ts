/** @file What a training run's log comes to, small enough to be committed: hours, pictures, curves. */
import { createReadStream } from "node:fs";
import { createInterface } from "node:readline";
import { z } from "zod";
import { DataFormatError, InputError } from "../../errors.ts";

/** Most points of a curve. */
const MOST_POINTS = 150;
/** Seconds without a line after which the run was stopped, not slow. */
const LONGEST_STEP = 600;

const time = z.string().transform((text) => Date.parse(text) / 1000);
const eventSchema = z.discriminatedUnion("type", [
  z.object({
    type: z.literal("step"),
    time,
    step: z.number(),
    loss: z.number(),
    images: z.number(),
  }),
  z.object({
    type: z.literal("validation"),
    time,
    step: z.number(),
    metrics: z.record(z.string(), z.number()),
  }),
]);
/** Starts, checkpoints and the like. */
const otherSchema = z
  .object({ type: z.string().refine((type) => type !== "step" && type !== "validation"), time })
  .transform((event) => ({ type: "other" as const, time: event.time }));
const lineSchema = z.union([eventSchema, otherSchema]);

export const trainingSummarySchema = z.strictObject({
  steps: z.number(),
  /** Pictures seen, with repetitions. */
  images: z.number(),
  /** Hours at work; pauses are left out. */
  hours: z.number(),
  /** Step, and the mean loss of the steps since the point before. */
  loss: z.array(z.tuple([z.number(), z.number()]).readonly()).readonly(),
  validation: z
    .array(
      z.strictObject({ step: z.number(), metrics: z.record(z.string(), z.number()).readonly() }).readonly(),
    )
    .readonly(),
});
export type TrainingSummary = Readonly<z.infer<typeof trainingSummarySchema>>;

/**
 * Summarises a `log.jsonl`. What a run that was resumed has done twice counts once: its later lines hold.
 * @throws InputError when it cannot be read or holds no steps, DataFormatError for a line that is no event.
 */
export async function summarizeLog(path: string): Promise<TrainingSummary> {
  const losses = new Map<number, number>();
  const validations = new Map<number, Readonly<Record<string, number>>>();
  let [seconds, before, images, line] = [0, Number.NaN, 0, 0];
  const source = createReadStream(path);
  try {
    for await (const text of createInterface({ input: source, crlfDelay: Number.POSITIVE_INFINITY })) {
      line++;
      const event = parseEvent(text, `${path}, line ${line}`);
      if (event === undefined) continue;
      const gap = event.time - before;
      if (gap > 0 && gap <= LONGEST_STEP) seconds += gap;
      before = event.time;
      if (event.type === "step") {
        losses.set(event.step, event.loss);
        images = event.images;
      } else if (event.type === "validation") validations.set(event.step, event.metrics);
    }
  } catch (error) {
    if (error instanceof DataFormatError) throw error;
    throw new InputError("cannot be read", { where: path, cause: error });
  } finally {
    source.destroy();
  }
  if (losses.size === 0) throw new InputError("holds no steps", { where: path });
  const ordered = [...losses].sort((a, b) => a[0] - b[0]);
  const inOrder = [...validations].sort((a, b) => a[0] - b[0]);
  return {
    steps: ordered.at(-1)![0],
    images,
    hours: Number((seconds / 3600).toFixed(2)),
    loss: thinned(ordered),
    validation: spread(inOrder).map(([step, metrics]) => ({ step, metrics: rounded(metrics) })),
  };
}

/** A last line may be torn: it is not an event, but no fault either. */
function parseEvent(text: string, where: string): z.infer<typeof lineSchema> | undefined {
  if (text === "") return undefined;
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch {
    if (!text.endsWith("}")) return undefined;
    throw new DataFormatError("is no event of a training run", { where });
  }
  const event = lineSchema.safeParse(json);
  if (event.success) return event.data;
  throw new DataFormatError("is no event of a training run", { where });
}

/** Equal parts of a curve, each as its last step and its mean. */
function thinned(points: readonly (readonly [number, number])[]): [number, number][] {
  const parts = Math.min(MOST_POINTS, points.length);
  return Array.from({ length: parts }, (_, part) => {
    const from = Math.floor((part * points.length) / parts);
    const to = Math.floor(((part + 1) * points.length) / parts);
    const some = points.slice(from, to);
    const mean = some.reduce((sum, [, loss]) => sum + loss, 0) / some.length;
    return [some.at(-1)![0], Number(mean.toPrecision(4))];
  });
}

/** At most {@link MOST_POINTS} of a list, the last among them. */
function spread<Item>(items: readonly Item[]): Item[] {
  const count = Math.min(MOST_POINTS, items.length);
  return Array.from(
    { length: count },
    (_, index) => items[Math.ceil(((index + 1) * items.length) / count) - 1]!,
  );
}

function rounded(metrics: Readonly<Record<string, number>>): Record<string, number> {
  return Object.fromEntries(
    Object.entries(metrics).map(([name, value]) => [name, Number(value.toPrecision(4))]),
  );
}
