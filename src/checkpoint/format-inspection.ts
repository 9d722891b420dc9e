/** @file An inspection as lines for people. */
import { printable } from "../formats/quoted.ts";
import type {
  Inspection,
  MemoryInspection,
  PictureInspection,
  TarInspection,
  TrainingInspection,
} from "./inspection.ts";
import { problemsOf } from "./inspection.ts";
import type { Problem } from "./problem.ts";
import { formatText } from "./quantized/stored-formats.ts";
import type { ListedTensor, PartCount } from "./tensor-listing.ts";

/** Findings of a kind beyond this many are counted, not listed. */
const LISTED_PROBLEMS = 20;
/** Characters of a recipe's kept tokens. */
const SHOWN_CHARACTERS = 40;

export interface FormatOptions {
  /** List all subjects of a model, one a line. Default: count them. */
  readonly subjects?: boolean;
}

/** What `nextstep inspect` prints without `--json`. Ends without a line break. */
export function formatInspection(inspection: Inspection, { subjects = false }: FormatOptions = {}): string {
  const lines: string[] = [`${printable(inspection.path)}: ${title(inspection)}`];
  switch (inspection.kind) {
    case "tar":
      lines.push(...tarLines(inspection));
      break;
    case "picture":
      lines.push(...pictureLines(inspection));
      break;
    case "json":
      lines.push(...configLines(inspection.content));
      break;
    case "config":
      lines.push(...configLines(inspection.config));
      break;
    default: {
      if ("config" in inspection) lines.push(...section("Configuration", configLines(inspection.config)));
      lines.push(...weightLines(inspection.parts, inspection.tensors, inspection.metadata));
    }
  }
  if (inspection.kind === "model") {
    const { tokenizer, autoencoder, quantization, memory, trained } = inspection;
    if (quantization !== undefined) {
      const rows = quantization.formats.map(({ parts, ...format }) => [formatText(format), parts.join(", ")]);
      lines.push(...section(`Stored in blocks, layout ${quantization.layout}`, columns(rows)));
      if (quantization.floats.length > 0)
        lines.push(`  left in float: ${printable(quantization.floats.join(", "))}`);
    }
    if (memory !== undefined) lines.push(...memoryLines(memory));
    if (trained !== undefined) lines.push(...section("Trained on", trainingLines(trained, subjects)));
    if (tokenizer !== undefined) {
      lines.push(
        "",
        `Tokenizer: ${tokenizer.size} ids, bos_token ${printable(tokenizer.bosToken ?? "none")}`,
      );
    }
    if (autoencoder === undefined) lines.push("", "Autoencoder: none");
    else {
      lines.push("", `Autoencoder: ${printable(autoencoder.path)}`);
      lines.push(...section("Autoencoder configuration", configLines(autoencoder.config)));
      lines.push(...weightLines(autoencoder.parts, autoencoder.tensors, autoencoder.metadata));
    }
  }
  const problems = problemsOf(inspection);
  if (problems.length > 0) lines.push(...section("Problems", problemLines(problems)));
  return lines.join("\n");
}

function title(inspection: Inspection): string {
  switch (inspection.kind) {
    case "model":
      return inspection.hasImageModules
        ? `model folder, ${inspection.release} layout`
        : "language model without image modules";
    case "config":
      return `configuration of ${inspection.of === "model" ? "a model" : "an autoencoder"}`;
    case "autoencoder":
      return `autoencoder folder, weights in ${inspection.weightFile}`;
    case "picture":
      return `${inspection.format} picture, ${inspection.width} x ${inspection.height}`;
    case "json":
      return inspection.of;
    default:
      return inspection.kind;
  }
}

function section(heading: string, lines: readonly string[]): string[] {
  return ["", `${heading}:`, ...lines];
}

function configLines(config: object): string[] {
  return columns(Object.entries(config).map(([key, value]) => [key, text(value)]));
}

function weightLines(
  parts: readonly PartCount[],
  tensors: readonly ListedTensor[],
  metadata: Readonly<Record<string, string>>,
): string[] {
  const total = parts.reduce((sum, { parameters }) => sum + parameters, 0);
  const bytes = tensors.reduce((sum, tensor) => sum + tensor.bytes, 0);
  const partRows = [
    ...parts.map(({ part, tensors: count, parameters }) => [
      part,
      number(parameters),
      plural(count, "tensor"),
    ]),
    ["total", number(total), `${plural(tensors.length, "tensor")}, ${number(bytes)} bytes`],
  ];
  const entries = Object.entries(metadata).map(([key, value]) => [key, text(value)]);
  return [
    ...section("Parameters", columns(partRows)),
    ...section("Tensors", columns(tensorRows(tensors))),
    ...(entries.length === 0 ? [] : section("Metadata", columns(entries))),
  ];
}

/** One row for tensors that differ in the number of their layer alone: `layers.{0-47}.mlp.up_proj.weight`. */
function tensorRows(tensors: readonly ListedTensor[]): string[][] {
  const rows = new Map<string, { tensor: ListedTensor; before: string; after: string; numbers: number[] }>();
  for (const tensor of tensors) {
    const [, before = tensor.name, index, after = ""] = /^(.*?\.)(\d+)(\..*)$/s.exec(tensor.name) ?? [];
    const key = index === undefined ? tensor.name : [before, after, tensor.dtype, tensor.shape].join("\0");
    const row = rows.get(key) ?? { tensor, before, after, numbers: [] };
    if (index !== undefined) row.numbers.push(Number(index));
    rows.set(key, row);
  }
  return Array.from(rows.values(), ({ tensor, before, after, numbers }) => [
    numbers.length < 2 ? tensor.name : `${before}{${ranges(numbers)}}${after}`,
    tensor.dtype,
    `[${tensor.shape.join(", ")}]`,
  ]);
}

/** `0-3,5` */
function ranges(numbers: readonly number[]): string {
  const sorted = [...numbers].sort((a, b) => a - b);
  const runs: [number, number][] = [];
  for (const n of sorted) {
    const last = runs.at(-1);
    if (last !== undefined && n === last[1] + 1) last[1] = n;
    else runs.push([n, n]);
  }
  return runs.map(([from, to]) => (from === to ? `${from}` : `${from}-${to}`)).join(",");
}

function memoryLines({ width, height, repacked, opening, drawing }: MemoryInspection): string[] {
  const megabytes = (bytes: number): string => `about ${number(Math.ceil(bytes / 1e6))} MB`;
  const rows = [
    ["opening", `${megabytes(opening)}${repacked ? ", while weights are repacked" : ""}`],
    ["drawing", megabytes(drawing)],
  ];
  return section(`Memory for a picture of ${width} x ${height}`, columns(rows));
}

function trainingLines({ sizes, subjects, words }: TrainingInspection, all: boolean): string[] {
  const listed = all ? (subjects ?? []).map((name) => `    ${printable(name)}`) : [];
  const hint = all ? "" : " (--subjects lists them)";
  return [
    ...columns([
      ["sizes", sizes?.map(([height, width]) => `${width} x ${height}`).join(", ") ?? "not said"],
      ["words", words === undefined ? "not said" : number(words)],
      ["subjects", subjects === undefined ? "not said" : number(subjects.length) + hint],
    ]),
    ...listed,
  ];
}

function tarLines({ members, bytes, extensions, samples, pictures, firstKeys }: TarInspection): string[] {
  const kinds = Object.entries(extensions).map(([extension, count]) => `${count} ${extension || "without"}`);
  return columns([
    ["members", `${number(members)} (${kinds.join(", ")})`],
    ["bytes", number(bytes)],
    ["samples", number(samples)],
    ["pictures", number(pictures)],
    ["first keys", firstKeys.join(", ")],
  ]);
}

function pictureLines({ parameters, recipe, sourceType, texts }: PictureInspection): string[] {
  const lines: string[] = [];
  if (sourceType !== undefined) lines.push(`  source type  ${sourceType}`);
  if (recipe !== undefined) {
    const text = JSON.stringify(recipe, (key, value) => (key === "tokens" ? shortened(value) : value), 2);
    lines.push(...section("Recipe", indent(text)));
  }
  if (parameters !== undefined) {
    const { prompt, negativePrompt, settings } = parameters;
    const rows = [["prompt", prompt], ["negative", negativePrompt], ...Object.entries(settings)];
    lines.push(...section("Parameters", columns(rows)));
  }
  if (recipe === undefined && parameters === undefined) {
    lines.push(texts.length === 0 ? "  no texts" : `  no recipe; texts: ${texts.join(", ")}`);
  }
  return lines;
}

/** Kept tokens are numbers without end; `--json` has them. */
function shortened(value: unknown): unknown {
  if (typeof value !== "string" || value.length <= SHOWN_CHARACTERS) return value;
  return `${value.slice(0, SHOWN_CHARACTERS)}... (${number(value.length)} characters)`;
}

function problemLines(problems: readonly Problem[]): string[] {
  const lines: string[] = [];
  for (const kind of new Set(problems.map((problem) => problem.kind))) {
    const ofKind = problems.filter((problem) => problem.kind === kind);
    for (const { subject, detail, fatal } of ofKind.slice(0, LISTED_PROBLEMS)) {
      lines.push(`  ${fatal ? "error" : "note "}  ${printable(subject)} ${printable(detail)}`);
    }
    if (ofKind.length > LISTED_PROBLEMS) lines.push(`         and ${ofKind.length - LISTED_PROBLEMS} more`);
  }
  return lines;
}

/** Rows with their first cells aligned. */
function columns(rows: readonly (readonly string[])[]): string[] {
  const widths: number[] = [];
  for (const row of rows) {
    row.forEach((cell, i) => {
      widths[i] = Math.max(widths[i] ?? 0, printable(cell).length);
    });
  }
  return rows.map((row) =>
    `  ${row.map((cell, i) => printable(cell).padEnd(widths[i] ?? 0)).join("  ")}`.trimEnd(),
  );
}

function indent(block: string): string[] {
  return block.split("\n").map((line) => `  ${printable(line)}`);
}

function text(value: unknown): string {
  if (value === undefined) return "none";
  return typeof value === "string" ? value : JSON.stringify(value);
}

function number(value: number): string {
  return value.toLocaleString("en-US");
}

function plural(count: number, noun: string): string {
  return `${number(count)} ${noun}${count === 1 ? "" : "s"}`;
}
