/** @file What the server says of itself and its model, brought to one shape with what is missing filled in. */
import type { Capabilities, Settings, SizeText } from "./answers.ts";

type Fields = Readonly<Record<string, unknown>>;

function fieldsOf(value: unknown): Fields {
  return typeof value === "object" && value !== null && !Array.isArray(value) ? (value as Fields) : {};
}

function texts(value: unknown): readonly string[] {
  return Array.isArray(value) ? value.filter((entry) => typeof entry === "string") : [];
}

function sizeOf(value: unknown): SizeText | undefined {
  return typeof value === "string" && /^\d+x\d+$/.test(value) ? (value as SizeText) : undefined;
}

function numberOf(value: unknown, otherwise: number): number {
  return typeof value === "number" && Number.isFinite(value) ? value : otherwise;
}

/** Nothing is known of a list that is not there; bounds that are not given are those of the conventions. */
export function capabilitiesOf(json: unknown): Capabilities {
  const all = fieldsOf(json);
  const limits = fieldsOf(all.limits);
  const size = sizeOf(all.size) ?? "256x256";
  return {
    model: typeof all.model === "string" ? all.model : "",
    size,
    sizes: texts(all.sizes).flatMap((size) => sizeOf(size) ?? []),
    subjects: texts(all.subjects),
    words: texts(all.words),
    tokenSide: numberOf(all.token_side, 16),
    samplers: texts(all.samplers),
    adapters: texts(all.adapters),
    defaults: fieldsOf(fieldsOf(all.defaults).drawing) as Settings,
    canEdit: fieldsOf(all.abilities).edit === true,
    maxCount: numberOf(limits.max_n, 10),
    maxTokens: numberOf(limits.max_tokens, Number.POSITIVE_INFINITY),
    maxPixels: numberOf(limits.max_pixels, Number.POSITIVE_INFINITY),
    version: typeof all.version === "string" ? all.version : "",
  };
}
