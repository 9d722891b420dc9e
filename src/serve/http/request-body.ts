/** @file Reads a request's body, bounded: JSON, or a form with files. */
import type { IncomingMessage } from "node:http";
import { Busboy } from "@fastify/busboy";
import { isJsonObject, type JsonObject } from "../../formats/json-file.ts";
import { ApiError, invalidRequest } from "./api-error.ts";
import type { BodyBudget } from "./body-budget.ts";
import { type BodyPace, PaceWatch } from "./body-pace.ts";

/** A file of a form: its bytes alone. What a client says of name and type is not believed. */
export interface FilePart {
  readonly field: string;
  readonly bytes: Uint8Array;
}

export interface RequestBody {
  readonly kind: "json" | "form" | "none";
  readonly fields: JsonObject;
  readonly files: readonly FilePart[];
}

export interface BodyRules {
  readonly json: boolean;
  readonly form: boolean;
  /** Fields of a form that are files, whether or not their parts have a name or a type. */
  readonly fileFields: readonly string[];
  readonly maxBytes: number;
  readonly pace: BodyPace;
}

/** Longer ones are no parameters. */
const MAX_FIELD_NAME = 100;
const MAX_FIELDS = 100;
const MAX_FILES = 64;
const MAX_PART_HEADERS = 32;
const MAX_PART_HEADER_BYTES = 8192;

/**
 * The body, with at most `maxBytes` of memory that `budget` has for it: the caller gives back `held` bytes of it when it has
 * let go of the body.
 * @throws ApiError for a body that is too large, malformed or of another type.
 */
export async function readRequestBody(
  incoming: IncomingMessage,
  rules: BodyRules,
  budget: BodyBudget,
): Promise<{ readonly body: RequestBody; readonly held: number }> {
  const declared = incoming.headers["content-length"];
  if (declared !== undefined && Number(declared) > rules.maxBytes) throw tooLarge(rules.maxBytes);
  if (declared === "0" || (declared === undefined && incoming.headers["transfer-encoding"] === undefined)) {
    return { body: { kind: "none", fields: {}, files: [] }, held: 0 };
  }
  const type = incoming.headers["content-type"] ?? "application/json";
  const essence = type.split(";", 1)[0]?.trim().toLowerCase() ?? "";
  const isJson = essence === "application/json" || essence.endsWith("+json");
  const isForm = essence === "multipart/form-data";
  if (!((isJson && rules.json) || (isForm && rules.form))) throw wrongType(rules);
  const encoding = incoming.headers["content-encoding"];
  if (encoding !== undefined && encoding !== "identity") {
    throw new ApiError(415, "A compressed body is not read: send it as it is.");
  }
  let held = 0;
  const count = (bytes: number): void => {
    if (held + bytes > rules.maxBytes) throw tooLarge(rules.maxBytes);
    budget.take(bytes);
    held += bytes;
  };
  try {
    const body = isForm
      ? await readForm(incoming, type, rules, count)
      : await readJson(incoming, rules.pace, count);
    return { body, held };
  } catch (error) {
    budget.give(held);
    throw error;
  }
}

function tooLarge(bytes: number): ApiError {
  return new ApiError(413, `The body of the request is too large: at most ${bytes} bytes are read.`, {
    code: "request_too_large",
    // What is left of the body is not read to its end.
    headers: { connection: "close" },
  });
}

function wrongType({ json, form }: BodyRules): ApiError {
  const types = [...(json ? ["application/json"] : []), ...(form ? ["multipart/form-data"] : [])];
  return new ApiError(415, `The content type of the request does not fit: use ${types.join(" or ")}.`, {
    code: "unsupported_content_type",
    headers: { connection: "close" },
  });
}

/**
 * Hands over the body piece by piece; stops listening, without ending the connection, when `take` throws, or when the pieces
 * come too slowly.
 */
function consume(incoming: IncomingMessage, pace: BodyPace, take: (piece: Buffer) => void): Promise<void> {
  return new Promise((resolve, reject) => {
    const watch = new PaceWatch(pace, (error) => {
      incoming.pause();
      settle(error);
    });
    const settle = (error?: unknown): void => {
      watch[Symbol.dispose]();
      incoming.off("data", onData).off("end", onEnd).off("error", onGone).off("close", onGone);
      if (error === undefined) resolve();
      else reject(error);
    };
    const onData = (piece: Buffer): void => {
      watch.count(piece.length);
      try {
        take(piece);
      } catch (error) {
        incoming.pause();
        settle(error);
      }
    };
    const onEnd = (): void => settle();
    const onGone = (): void => settle(invalidRequest("The body of the request ended early."));
    incoming.on("data", onData).on("end", onEnd).on("error", onGone).on("close", onGone);
  });
}

async function readJson(
  incoming: IncomingMessage,
  pace: BodyPace,
  count: (bytes: number) => void,
): Promise<RequestBody> {
  const pieces: Buffer[] = [];
  await consume(incoming, pace, (piece) => {
    count(piece.length);
    pieces.push(piece);
  });
  const malformed = invalidRequest(
    "We could not parse the JSON body of your request. The API expects a JSON object, in UTF-8.",
    { code: "invalid_json" },
  );
  let value: unknown;
  try {
    value = JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(Buffer.concat(pieces)));
  } catch {
    throw malformed;
  }
  if (!isJsonObject(value)) throw malformed;
  return { kind: "json", fields: value, files: [] };
}

async function readForm(
  incoming: IncomingMessage,
  contentType: string,
  { fileFields, maxBytes, pace }: BodyRules,
  count: (bytes: number) => void,
): Promise<RequestBody> {
  const fields = new Map<string, string>();
  const files: Promise<FilePart>[] = [];
  let fault: unknown;
  const refuse = (message: string, param: string | null = null): void => {
    fault ??= invalidRequest(message, { param });
  };
  let parser: InstanceType<typeof Busboy>;
  try {
    parser = new Busboy({
      headers: { "content-type": contentType },
      isPartAFile: (name, _type, fileName) => fileName !== undefined || fileFields.includes(name ?? ""),
      limits: {
        fieldNameSize: MAX_FIELD_NAME,
        fieldSize: maxBytes,
        fields: MAX_FIELDS,
        files: MAX_FILES,
        headerPairs: MAX_PART_HEADERS,
        headerSize: MAX_PART_HEADER_BYTES,
      },
    });
  } catch {
    throw invalidRequest("The form has no boundary in its content type.");
  }
  parser.on("field", (name, value, nameTruncated) => {
    if (name === undefined || nameTruncated)
      refuse("A part of the form has no name, or one that is too long.");
    else if (fields.has(name)) refuse(`Duplicate parameter: '${name}'.`, name);
    else fields.set(name, value);
  });
  parser.on("file", (name, stream) => {
    const field = String(name);
    if (!fileFields.includes(field)) refuse(`Unknown parameter: '${field}'.`, field);
    const pieces: Buffer[] = [];
    stream.on("data", (piece: Buffer) => pieces.push(piece));
    const file = new Promise<FilePart>((resolve, reject) => {
      stream.on("end", () => resolve({ field, bytes: Buffer.concat(pieces) }));
      stream.on("error", reject);
    });
    // Nobody waits for the files of a form that is refused.
    file.catch(() => {});
    files.push(file);
  });
  parser.on("fieldsLimit", () => refuse(`The form has more than ${MAX_FIELDS} fields.`));
  parser.on("filesLimit", () => refuse(`The form has more than ${MAX_FILES} files.`));
  const parsed = new Promise<void>((resolve, reject) => {
    parser.on("finish", resolve);
    parser.on("error", reject);
  });
  // Whoever is refused meanwhile does not wait for it.
  parsed.catch(() => {});
  await consume(incoming, pace, (piece) => {
    count(piece.length);
    parser.write(piece);
    if (fault !== undefined) throw fault;
  });
  parser.end();
  try {
    await parsed;
    if (fault !== undefined) throw fault;
    return { kind: "form", fields: Object.fromEntries(fields), files: await Promise.all(files) };
  } catch (error) {
    if (error instanceof ApiError) throw error;
    throw invalidRequest("The form is malformed.", { cause: error });
  }
}
