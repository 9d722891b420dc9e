/** @file Curves of a training run as an SVG picture: they are read on a page, light or dark. */

export interface Curve {
  readonly name: string;
  readonly points: readonly (readonly [x: number, y: number])[];
}

/** One coordinate system. */
export interface CurvePanel {
  readonly title: string;
  readonly curves: readonly Curve[];
}

const PANEL = { width: 360, height: 220, left: 46, right: 12, top: 28, bottom: 24 } as const;
const COLUMNS = 2;
/** Told apart without seeing colours well (Okabe and Ito). */
const COLOURS = ["#0072b2", "#d55e00", "#009e73", "#cc79a7"] as const;
const TEXT = 'font-family="sans-serif" font-size="11" fill="#666"';

/** Panels in rows of two. Texts are escaped; numbers are rounded to what is seen. */
export function curvePicture(panels: readonly CurvePanel[]): string {
  const width = PANEL.width * Math.min(COLUMNS, panels.length);
  const height = PANEL.height * Math.ceil(panels.length / COLUMNS);
  const drawn = panels.map((panel, index) => {
    const x = PANEL.width * (index % COLUMNS);
    const y = PANEL.height * Math.floor(index / COLUMNS);
    return `<g transform="translate(${x} ${y})">\n${drawPanel(panel)}\n</g>`;
  });
  return (
    `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${height}" ` +
    `viewBox="0 0 ${width} ${height}">\n${drawn.join("\n")}\n</svg>\n`
  );
}

function drawPanel({ title, curves }: CurvePanel): string {
  const all = curves.flatMap(({ points }) => points);
  const [x0, x1] = rangeOf(all.map(([x]) => x));
  const [y0, y1] = rangeOf(all.map(([, y]) => y));
  const inner = {
    width: PANEL.width - PANEL.left - PANEL.right,
    height: PANEL.height - PANEL.top - PANEL.bottom,
  };
  const toX = (x: number): string => (PANEL.left + (inner.width * (x - x0)) / (x1 - x0)).toFixed(1);
  const toY = (y: number): string => (PANEL.top + (inner.height * (y1 - y)) / (y1 - y0)).toFixed(1);
  const label = (x: number | string, y: number | string, anchor: string, text: string, more = TEXT): string =>
    `<text x="${x}" y="${y}" text-anchor="${anchor}" ${more}>${escaped(text)}</text>`;
  const lines = curves.map(({ points }, index) => {
    const path = points.map(([x, y]) => `${toX(x)},${toY(y)}`).join(" ");
    const colour = COLOURS[index % COLOURS.length];
    return `<polyline points="${path}" fill="none" stroke="${colour}" stroke-width="1.5"/>`;
  });
  const names = curves.map(({ name }, index) => {
    const colour = COLOURS[index % COLOURS.length];
    const more = `font-family="sans-serif" font-size="11" fill="${colour}"`;
    return label(PANEL.width - PANEL.right - 4, PANEL.top + 14 + 14 * index, "end", name, more);
  });
  const frame =
    `<rect x="${PANEL.left}" y="${PANEL.top}" width="${inner.width}" height="${inner.height}" ` +
    'fill="none" stroke="#999" stroke-width="0.5"/>';
  const bottom = PANEL.height - PANEL.bottom;
  return [
    label(PANEL.left, PANEL.top - 8, "start", title),
    frame,
    label(PANEL.left - 4, PANEL.top + 8, "end", short(y1)),
    label(PANEL.left - 4, bottom, "end", short(y0)),
    label(PANEL.left, bottom + 14, "start", short(x0)),
    label(PANEL.width - PANEL.right, bottom + 14, "end", short(x1)),
    ...lines,
    ...(curves.length > 1 ? names : []),
  ].join("\n");
}

/** Least and largest, apart even where all are equal. */
function rangeOf(values: readonly number[]): [number, number] {
  const [least, most] = [Math.min(...values), Math.max(...values)];
  return most > least ? [least, most] : [least - 1, least + 1];
}

function short(value: number): string {
  return Number(value.toPrecision(3)).toLocaleString("en");
}

function escaped(text: string): string {
  return text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;");
}
