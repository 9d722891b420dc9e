/**
 * @file The "parameters" text that galleries and the AUTOMATIC1111 web UI read: prompt lines, negative prompt,
 * then one line of settings. Parsed by the same rules as theirs, in linear time.
 */

import { DataFormatError, InputError } from "../errors.ts";
import { quoted } from "./quoted.ts";

/** Keyword of the PNG text chunk. */
export const PARAMETERS_KEYWORD = "parameters";

export interface GenerationParameters {
  readonly prompt: string;
  readonly negativePrompt: string;
  /** Settings in order, e.g. `Steps` -> `28`. */
  readonly settings: ReadonlyMap<string, string>;
}

const NEGATIVE = "Negative prompt:";
/** Readers take the last line for settings only if it holds at least this many. */
const MIN_SETTINGS = 3;
const MAX_CHARACTERS = 1024 * 1024;

const KEY = /^[\p{L}\p{N}_][\p{L}\p{N}_ \-/]+$/u;
const KEY_START = /[\p{L}\p{N}_]/u;
const KEY_CHARACTER = /[\p{L}\p{N}_ \-/]/u;

/**
 * The text for a picture. Line breaks in the prompts are kept; spaces around their lines are lost to readers.
 * Throws InputError for a setting name that readers would not recognise, or fewer than three settings.
 */
export function formatParameters(parameters: GenerationParameters): string {
  const settings = Array.from(parameters.settings, ([key, value]) => {
    if (!KEY.test(key) || key.endsWith(" ")) {
      throw new InputError(`${quoted(key)} cannot name a setting`, {
        where: PARAMETERS_KEYWORD,
        remedy: "use letters, digits, spaces, - and /",
      });
    }
    return `${key}: ${quote(value)}`;
  });
  if (settings.length < MIN_SETTINGS) {
    throw new InputError(`${settings.length} settings are fewer than readers look for`, {
      where: PARAMETERS_KEYWORD,
    });
  }
  const negative = parameters.negativePrompt === "" ? "" : `\n${NEGATIVE} ${parameters.negativePrompt}`;
  return `${parameters.prompt}${negative}\n${settings.join(", ")}`.trim();
}

/** JSON quotes where plain text would end early, or come back changed. */
function quote(value: string): string {
  const plain = value !== "" && value === value.trim() && !/[,:"\\\n\r]/.test(value);
  return plain ? value : JSON.stringify(value);
}

/**
 * Reads a "parameters" text; any text is valid, at worst it is all prompt.
 * Throws DataFormatError if it is absurdly long.
 */
export function parseParameters(text: string): GenerationParameters {
  if (text.length > MAX_CHARACTERS) {
    throw new DataFormatError(`${text.length} characters are too many`, { where: PARAMETERS_KEYWORD });
  }
  const lines = text.trim().split("\n");
  let settings = parseSettings(lines.at(-1) ?? "");
  if (settings.count >= MIN_SETTINGS) lines.pop();
  else settings = { count: 0, values: new Map() };
  const prompt: string[] = [];
  const negative: string[] = [];
  let target = prompt;
  for (const raw of lines) {
    let line = raw.trim();
    if (line.startsWith(NEGATIVE)) {
      target = negative;
      line = line.slice(NEGATIVE.length).trim();
    }
    // Leading empty lines vanish, as they do for the original reader.
    if (target.length > 0 || line !== "") target.push(line);
  }
  return { prompt: prompt.join("\n"), negativePrompt: negative.join("\n"), settings: settings.values };
}

/** `Size` of 512x768 as numbers; undefined if there is none. */
export function parametersSize(
  parameters: GenerationParameters,
): { readonly width: number; readonly height: number } | undefined {
  const match = /^(\d{1,6})x(\d{1,6})$/.exec(parameters.settings.get("Size") ?? "");
  return match === null ? undefined : { width: Number(match[1]), height: Number(match[2]) };
}

/**
 * Every `key: value` of a line. Equals searching for
 * `\s*(\w[\w \-/]+):\s*("(?:\\.|[^\\"])+"|[^,]*)(?:,|$)`, but each character is looked at a bounded number of times.
 */
function parseSettings(line: string): { count: number; values: Map<string, string> } {
  const values = new Map<string, string>();
  let count = 0;
  let free = 0; // where the last match ended
  let colon = line.indexOf(":");
  while (colon >= 0) {
    const key = keyBefore(line, free, colon);
    if (key === undefined) {
      // The text up to this colon can belong to no later key either.
      free = colon + 1;
    } else {
      const { value, end } = valueAt(line, colon + 1);
      values.set(key, value);
      count++;
      free = end;
    }
    colon = line.indexOf(":", free);
  }
  return { count, values };
}

/** The longest run of key characters between `free` and the colon, from its first letter or digit on. */
function keyBefore(line: string, free: number, colon: number): string | undefined {
  let start = colon;
  while (start > free && KEY_CHARACTER.test(line[start - 1]!)) start--;
  while (start < colon && !KEY_START.test(line[start]!)) start++;
  return colon - start >= 2 ? line.slice(start, colon) : undefined;
}

/** The value that begins after the colon; `end` is past the comma that ends it. */
function valueAt(line: string, from: number): { value: string; end: number } {
  let start = from;
  while (start < line.length && /\s/.test(line[start]!)) start++;
  const quoted = quotedAt(line, start);
  if (quoted !== undefined) return quoted;
  const comma = line.indexOf(",", start);
  const end = comma < 0 ? line.length : comma;
  return { value: line.slice(start, end), end: end + 1 };
}

/** A quoted value that is followed by a comma or the end; undefined if there is none. */
function quotedAt(line: string, start: number): { value: string; end: number } | undefined {
  if (line[start] !== '"') return undefined;
  let at = start + 1;
  while (at < line.length && line[at] !== '"') at += line[at] === "\\" ? 2 : 1;
  const after = at + 1;
  if (at >= line.length || (after < line.length && line[after] !== ",")) return undefined;
  return { value: unquote(line.slice(start, after)), end: after + 1 };
}

/** JSON's escapes undone; kept as it stands if it is not JSON after all. */
function unquote(value: string): string {
  return isJsonString(value) ? String(JSON.parse(value)) : value;
}

/** Checked beforehand: a text of a hundred thousand bad escapes would cost as many exceptions. */
function isJsonString(quotedValue: string): boolean {
  for (let at = 1; at < quotedValue.length - 1; at++) {
    const character = quotedValue[at]!;
    if (character < " ") return false;
    if (character !== "\\") continue;
    at++;
    const escaped = quotedValue[at]!;
    if (escaped === "u" && /^[0-9a-fA-F]{4}$/.test(quotedValue.slice(at + 1, at + 5))) at += 4;
    else if (!'"\\/bfnrt'.includes(escaped)) return false;
  }
  return true;
}
