/** @file Checks what came against a schema, and says what does not fit in OpenAI's words. */
import { z } from "zod";
import { printable } from "../../formats/quoted.ts";
import { type ApiError, invalidRequest } from "./api-error.ts";

/**
 * The fields as the schema has them. `null` is absent, as clients that write out all their options mean it.
 * @throws ApiError of status 400 that names the first field that does not fit.
 */
export function checkedFields<Schema extends z.ZodObject>(
  schema: Schema,
  fields: Readonly<Record<string, unknown>>,
): z.output<Schema> {
  const given = Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== null));
  const result = schema.safeParse(given, { reportInput: true });
  if (result.success) return result.data;
  throw fieldError(result.error, given);
}

/**
 * Fields of a form or a query, where everything is text: a text that its schema does not take is read as what it takes.
 * An empty one is absent then.
 */
export function fieldsOfText(
  schema: z.ZodObject,
  texts: Readonly<Record<string, string>>,
): Record<string, unknown> {
  const shape: Readonly<Record<string, z.core.$ZodType>> = schema.shape;
  return Object.fromEntries(
    Object.entries(texts).map(([name, text]) => {
      const field = Object.hasOwn(shape, name) ? shape[name] : undefined;
      if (field === undefined || z.safeParse(field, text).success) return [name, text];
      return [name, text === "" ? null : valueOfText(text)];
    }),
  );
}

function valueOfText(text: string): unknown {
  if (text === "true") return true;
  if (text === "false") return false;
  if (text === "null") return null;
  if (/^[+-]?(?:\d+\.?\d*|\.\d+)(?:e[+-]?\d+)?$/i.test(text)) return Number(text);
  if (!/^[[{]/.test(text)) return text;
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}

function fieldError(error: z.ZodError, given: Readonly<Record<string, unknown>>): ApiError {
  // What is not known goes first: a misspelt name is also missing under its right one.
  const unknown = error.issues.find(({ code }) => code === "unrecognized_keys");
  const issue = unknown ?? (error.issues[0] as z.core.$ZodIssue);
  return issueError(issue, given);
}

function issueError(issue: z.core.$ZodIssue, given: unknown): ApiError {
  const param = pathText(issue.path);
  const missing = issue.code !== "unrecognized_keys" && valueAt(given, issue.path) === undefined;
  if (missing) {
    return invalidRequest(`Missing required parameter: '${param}'.`, {
      param,
      code: "missing_required_parameter",
    });
  }
  const refuse = (code: string, words: string): ApiError => invalidRequest(words, { param, code });
  switch (issue.code) {
    case "unrecognized_keys": {
      const name = printable(pathText([...issue.path, issue.keys[0] ?? ""]).slice(0, 100));
      return invalidRequest(`Unknown parameter: '${name}'.`, { param: name, code: "unknown_parameter" });
    }
    case "invalid_type":
      return refuse(
        "invalid_type",
        `Invalid type for '${param}': expected ${typeWord(issue.expected)}, but got ${wordFor(issue.input)} instead.`,
      );
    case "invalid_value":
      return refuse(
        "invalid_value",
        `Invalid value: ${shown(issue.input)}. Supported values are: ${listed(issue.values.map(shown))}.`,
      );
    case "too_big":
      return boundError(param, issue, "maximum", Number(issue.maximum));
    case "too_small":
      return boundError(param, issue, "minimum", Number(issue.minimum));
    case "invalid_union": {
      // The branch that came furthest says what is wrong with it.
      const branches = issue.errors.filter((issues) => issues.length > 0);
      const deepest = branches.toSorted((a, b) => depth(b) - depth(a))[0]?.[0];
      if (deepest !== undefined && deepest.path.length > 0) {
        return issueError({ ...deepest, path: [...issue.path, ...deepest.path] }, given);
      }
      const texts = branches.flatMap((issues) => issues.flatMap(allowedWords));
      const allowed = texts.length === 0 ? "" : ` Supported values are: ${listed([...new Set(texts)])}.`;
      return refuse("invalid_value", `Invalid value for '${param}': ${shown(issue.input)}.${allowed}`);
    }
    default:
      return refuse("invalid_value", `Invalid value for '${param}': ${shown(issue.input)} ${issue.message}.`);
  }
}

const depth = (issues: readonly z.core.$ZodIssue[]): number => issues[0]?.path.length ?? 0;

function allowedWords(issue: z.core.$ZodIssue): string[] {
  if (issue.code === "invalid_value") return issue.values.map(shown);
  return issue.code === "invalid_type" ? [typeWord(issue.expected)] : [];
}

function boundError(
  param: string,
  { origin, input }: z.core.$ZodIssueTooBig | z.core.$ZodIssueTooSmall,
  which: "maximum" | "minimum",
  bound: number,
): ApiError {
  const [long, above, sign] = which === "maximum" ? ["long", "above", "<="] : ["short", "below", ">="];
  const side = `${above}_${which.slice(0, 3)}`;
  if (origin === "string" || origin === "array") {
    const length = typeof input === "string" || Array.isArray(input) ? input.length : 0;
    const kind = typeWord(origin);
    return invalidRequest(
      `Invalid '${param}': ${origin} too ${long}. Expected ${kind} with ${which} length ${bound}, but got ${kind} with length ${length} instead.`,
      { param, code: `${origin}_${side}_length` },
    );
  }
  const kind = origin === "int" || Number.isInteger(input) ? "integer" : "decimal";
  return invalidRequest(
    `Invalid '${param}': ${kind} ${above} ${which} value. Expected a value ${sign} ${bound}, but got ${shown(input)} instead.`,
    { param, code: `${kind}_${side}_value` },
  );
}

function pathText(path: readonly PropertyKey[]): string {
  return path
    .map((part, index) =>
      typeof part === "number" ? `[${part}]` : `${index === 0 ? "" : "."}${String(part)}`,
    )
    .join("");
}

function valueAt(value: unknown, path: readonly PropertyKey[]): unknown {
  return path.reduce<unknown>(
    (at, key) =>
      typeof at === "object" && at !== null ? (at as Record<PropertyKey, unknown>)[key] : undefined,
    value,
  );
}

const TYPE_WORDS: Readonly<Record<string, string>> = {
  int: "an integer",
  number: "a number",
  string: "a string",
  boolean: "a boolean",
  array: "an array",
  object: "an object",
  record: "an object",
};

function typeWord(expected: string): string {
  return TYPE_WORDS[expected] ?? expected;
}

function wordFor(value: unknown): string {
  if (value === null) return "null";
  if (Array.isArray(value)) return "an array";
  if (typeof value === "number") return Number.isInteger(value) ? "an integer" : "a decimal number";
  return typeWord(typeof value);
}

/** A value as it stands in a message, cut short. */
function shown(value: unknown): string {
  if (typeof value === "string") return `'${printable(value.slice(0, 60))}'`;
  return printable((JSON.stringify(value) ?? String(value)).slice(0, 60));
}

function listed(words: readonly string[]): string {
  if (words.length < 2) return words.join("");
  return `${words.slice(0, -1).join(", ")}, and ${words.at(-1)}`;
}
