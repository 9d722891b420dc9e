/** @file The figures of a run's log as curves over its steps. */
import { createReadStream } from "node:fs";
import { createInterface } from "node:readline";

/** Figures of one kind. */
export interface Curve {
  /** Name of the figure: curves of one name belong into one picture. */
  readonly figure: string;
  /** What was measured. */
  readonly line: "training" | "held out" | "held out, averaged weights";
  /** By ascending step. */
  readonly points: readonly CurvePoint[];
}

export interface CurvePoint {
  readonly step: number;
  readonly value: number;
}

const AVERAGED_PREFIX = "ema/";

/** Reads a log of JSON lines as far as it can be read. The loss comes first, then what else training tells, the rate last. */
export async function readCurves(logPath: string): Promise<Curve[]> {
  const curves = new Map<string, Curve & { readonly points: CurvePoint[] }>();
  const add = (figure: string, line: Curve["line"], step: number, value: unknown): void => {
    // A figure without bound (the PSNR of two equal pictures) is null in JSON.
    if (typeof value !== "number") return;
    const key = `${figure} ${line}`;
    const curve = curves.get(key) ?? { figure, line, points: [] };
    curves.set(key, curve);
    curve.points.push({ step, value });
  };
  for await (const text of createInterface({ input: createReadStream(logPath) })) {
    const event = parseLine(text);
    if (event === undefined) continue;
    const { step, metrics } = event;
    if (event.type === "step") {
      add("loss", "training", step, event.loss);
      add("rate", "training", step, event.rate);
      for (const [name, value] of Object.entries(metrics)) add(name, "training", step, value);
    } else if (event.type === "validation") {
      for (const [name, value] of Object.entries(metrics)) {
        if (name.startsWith(AVERAGED_PREFIX))
          add(name.slice(AVERAGED_PREFIX.length), "held out, averaged weights", step, value);
        else add(name, "held out", step, value);
      }
    }
  }
  // A run begins with figures of held-out data.
  const rank = ({ figure, line }: Curve): number =>
    figure === "loss" ? 0 : figure === "rate" ? 3 : line === "training" ? 1 : 2;
  return [...curves.values()].sort((a, b) => rank(a) - rank(b));
}

interface LoggedFigures {
  readonly type: unknown;
  readonly step: number;
  readonly loss: unknown;
  readonly rate: unknown;
  readonly metrics: Readonly<Record<string, unknown>>;
}

/** Undefined for a line without figures, and for a torn one. */
function parseLine(text: string): LoggedFigures | undefined {
  let event: unknown;
  try {
    event = JSON.parse(text);
  } catch {
    return undefined;
  }
  if (typeof event !== "object" || event === null) return undefined;
  const { type, step, loss, rate, metrics } = event as Readonly<Record<string, unknown>>;
  if (typeof step !== "number" || typeof metrics !== "object" || metrics === null) return undefined;
  return { type, step, loss, rate, metrics: { ...metrics } };
}
