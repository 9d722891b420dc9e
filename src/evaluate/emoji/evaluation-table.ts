/** @file An evaluation as text: a line a measure, with its interval and the autoencoder's floor. */
import type { Estimate } from "../estimate.ts";
import type { Evaluation } from "./evaluation.ts";
import type { Row, Unit } from "./row.ts";

const HEADINGS = ["pictures", "", "measure", "n", "value", "95 %", "floor", "of floor"];
const IS_NUMBER = [false, false, false, true, true, true, true, true];

/** A number as its unit is read: per cent, or with as many digits as mean something. */
export function formatValue(value: number, unit: Unit): string {
  switch (unit) {
    case "share":
      return `${(100 * value).toFixed(1)} %`;
    case "decibels":
      return `${value.toFixed(1)} dB`;
    case "levels":
      return value.toFixed(2);
    case "ratio":
      return value.toFixed(3);
    case "distance":
      return value.toPrecision(3);
  }
}

/** "61.2 to 74.0 %". */
export function formatInterval({ low, high }: Estimate, unit: Unit): string {
  const [from, to] = [formatValue(low, unit), formatValue(high, unit)];
  return `${from.replace(/ (?:%|dB)$/, "")} to ${to}`;
}

/** The model's share of what the floor reaches; only where more is better and the floor bounds it. */
export function ofFloor({ unit, model, floor }: Row): number | undefined {
  if (floor === null || floor.value === 0) return undefined;
  return unit === "share" || unit === "ratio" ? model.value / floor.value : undefined;
}

/** The cells of a row, as {@link HEADINGS} name them. */
export function cellsOf(row: Row): string[] {
  const { group, split, measure, unit, model, floor } = row;
  const relative = ofFloor(row);
  return [
    group,
    split,
    measure,
    String(model.count),
    formatValue(model.value, unit),
    formatInterval(model, unit),
    floor === null ? "" : formatValue(floor.value, unit),
    relative === undefined ? "" : `${Math.round(100 * relative)} %`,
  ];
}

/** Columns padded for a terminal, and what was left out below. */
export function formatTable({ rows, leftOut }: Pick<Evaluation, "rows" | "leftOut">): string {
  const lines = [HEADINGS, ...rows.map(cellsOf)];
  const widths = HEADINGS.map((_, column) => Math.max(...lines.map((cells) => cells[column]!.length)));
  const pad = (cell: string, column: number): string =>
    IS_NUMBER[column] === true ? cell.padStart(widths[column]!) : cell.padEnd(widths[column]!);
  const table = lines.map((cells) => cells.map(pad).join("  ").trimEnd());
  const left = leftOut.map(({ measure, reason }) => `left out: ${measure}: ${reason}`);
  return [...table, ...left].join("\n");
}

/** The same as a table of a Markdown page. */
export function formatMarkdown(rows: readonly Row[]): string {
  const line = (cells: readonly string[]): string => `| ${cells.join(" | ")} |`;
  const rule = IS_NUMBER.map((isNumber) => (isNumber ? "---:" : "---"));
  return [line(HEADINGS), line(rule), ...rows.map((row) => line(cellsOf(row)))].join("\n");
}
