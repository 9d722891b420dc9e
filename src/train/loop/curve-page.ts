/** @file Curves of a run as one HTML page that needs nothing else: an SVG picture for each figure, no script. */
import type { Curve, CurvePoint } from "./curve-points.ts";

/** Pixels of a picture and of the margins that hold its labels. */
const [WIDTH, HEIGHT] = [640, 240];
const MARGIN = { left: 64, right: 28, top: 12, bottom: 28 } as const;

/** Points drawn of a curve: more would not be seen. */
const MOST_POINTS = 300;
/** Values that spread further than this have a logarithmic axis. */
const LOGARITHMIC_RATIO = 20;

const STYLE = `
body { font: 14px system-ui, sans-serif; margin: 2em auto; max-width: ${WIDTH}px; padding: 0 1em; background: #fff; color: #222; }
h2 { font-size: 1em; margin: 1.6em 0 0.2em; }
svg { width: 100%; }
svg text { font-size: 11px; fill: #777; }
.grid { stroke: #8884; }
.key { margin-right: 1.2em; color: #777; }
.training { --line: #1f77b4; } .held-out { --line: #ff7f0e; } .held-out-averaged-weights { --line: #2ca02c; }
path.line { fill: none; stroke: var(--line); stroke-width: 1.5; }
path.band { fill: var(--line); opacity: 0.18; }
circle { fill: var(--line); }
.key::before { content: ""; display: inline-block; width: 1.2em; border-top: 3px solid var(--line); margin-right: 0.4em; vertical-align: middle; }
@media (prefers-color-scheme: dark) { body { background: #161616; color: #ddd; } }
`;

/** Steps that are drawn as one. */
interface Bin extends CurvePoint {
  readonly least: number;
  readonly most: number;
}

/**
 * The page.
 * @param title what the run is; plain text.
 */
export function curvePage(title: string, curves: readonly Curve[]): string {
  const lastStep = Math.max(...curves.map(({ points }) => points.at(-1)?.step ?? 0));
  const figures = [...new Set(curves.map(({ figure }) => figure))];
  const pictures = figures.map((figure) => {
    const own = curves.filter((curve) => curve.figure === figure);
    const keys = own.map(({ line }) => `<span class="key ${classOf(line)}">${line}</span>`).join("");
    return `<h2>${escaped(figure)}</h2>\n<div>${keys}</div>\n${picture(own, lastStep)}`;
  });
  return `<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>${escaped(title)}</title>
<style>${STYLE}</style>
<h1>${escaped(title)}</h1>
${pictures.join("\n")}
</html>
`;
}

/** @param lastStep of all pictures, so that they can be read below each other. */
function picture(curves: readonly Curve[], lastStep: number): string {
  const binned = curves.map(({ line, points }) => ({ line, bins: toBins(points) }));
  const all = binned.flatMap(({ bins }) => bins);
  const x = linearAxis(0, lastStep, MARGIN.left, WIDTH - MARGIN.right);
  const least = Math.min(...all.map((bin) => bin.least));
  const most = Math.max(...all.map((bin) => bin.most));
  const isLogarithmic = least > 0 && most / least > LOGARITHMIC_RATIO;
  const [bottom, top] = [HEIGHT - MARGIN.bottom, MARGIN.top];
  const y = isLogarithmic ? logarithmicAxis(least, most, bottom, top) : linearAxis(least, most, bottom, top);
  const right = WIDTH - MARGIN.right;
  const rows = y.ticks.map(
    (tick) =>
      `<line class="grid" x1="${MARGIN.left}" x2="${right}" y1="${at(y, tick)}" y2="${at(y, tick)}"/>` +
      `<text x="${MARGIN.left - 6}" y="${at(y, tick)}" dy="0.35em" text-anchor="end">${label(tick)}</text>`,
  );
  const columns = x.ticks.map(
    (tick) => `<text x="${at(x, tick)}" y="${HEIGHT - 8}" text-anchor="middle">${label(tick)}</text>`,
  );
  const lines = binned.map(({ line, bins }) => `<g class="${classOf(line)}">${drawn(bins, x, y)}</g>`);
  return `<svg viewBox="0 0 ${WIDTH} ${HEIGHT}">${[...rows, ...columns, ...lines].join("\n")}</svg>`;
}

function drawn(bins: readonly Bin[], x: Axis, y: Axis): string {
  const path = (values: readonly (readonly [number, number])[]): string =>
    `M${values.map(([step, value]) => `${at(x, step)},${at(y, value)}`).join("L")}`;
  const line = path(bins.map(({ step, value }) => [step, value]));
  if (bins.length === 1) {
    const [{ step, value }] = bins as [Bin];
    return `<circle cx="${at(x, step)}" cy="${at(y, value)}" r="3"/>`;
  }
  const isOfMany = bins.some(({ least, most }) => least !== most);
  const upper = bins.map(({ step, most }) => [step, most] as const);
  const lower = bins.map(({ step, least }) => [step, least] as const).reverse();
  const band = isOfMany ? `<path class="band" d="${path([...upper, ...lower])}Z"/>` : "";
  return `${band}<path class="line" d="${line}"/>`;
}

/** Mean, least and most of equal stretches. */
function toBins(points: readonly CurvePoint[]): Bin[] {
  const size = Math.ceil(points.length / MOST_POINTS);
  const bins: Bin[] = [];
  for (let first = 0; first < points.length; first += size) {
    const own = points.slice(first, first + size);
    const values = own.map(({ value }) => value);
    bins.push({
      step: own.at(-1)!.step,
      value: values.reduce((a, b) => a + b, 0) / values.length,
      least: Math.min(...values),
      most: Math.max(...values),
    });
  }
  return bins;
}

interface Axis {
  readonly ticks: readonly number[];
  /** Pixels of a value. */
  place(value: number): number;
}

function at(axis: Axis, value: number): string {
  return axis.place(value).toFixed(1);
}

/** Ticks at round numbers: 1, 2 or 5 times a power of ten apart. */
function linearAxis(least: number, most: number, from: number, to: number): Axis {
  const span = most > least ? most - least : Math.abs(most) || 1;
  const power = 10 ** Math.floor(Math.log10(span / 4));
  const apart = [1, 2, 5, 10].map((factor) => factor * power).find((size) => span / size <= 5)!;
  const ticks: number[] = [];
  for (let tick = Math.ceil(least / apart); tick * apart <= least + span; tick++) ticks.push(tick * apart);
  return { ticks, place: (value) => from + ((value - least) / span) * (to - from) };
}

/** Ticks at 1, 2 and 5 times powers of ten, or at the powers alone where these would be many. */
function logarithmicAxis(least: number, most: number, from: number, to: number): Axis {
  const [low, high] = [Math.log10(least), Math.log10(most)];
  const factors = high - low > 3 ? [1] : [1, 2, 5];
  const ticks: number[] = [];
  for (let power = Math.floor(low); power <= high; power++) {
    ticks.push(...factors.map((factor) => factor * 10 ** power).filter((t) => t >= least && t <= most));
  }
  return { ticks, place: (value) => from + ((Math.log10(value) - low) / (high - low)) * (to - from) };
}

function label(value: number): string {
  return String(Number(value.toPrecision(4)));
}

function classOf(line: string): string {
  return line.replace(/\W+/g, "-");
}

function escaped(text: string): string {
  return text.replace(/[&<>"]/g, (letter) => `&#${letter.charCodeAt(0)};`);
}
