/** @file What the command keeps in a job for itself: where the pictures go, and from where the rest is read. */
import { existsSync } from "node:fs";
import { resolve } from "node:path";
import { DataFormatError } from "../errors.ts";
import { isJsonObject } from "../formats/json-file.ts";
import { MAX_ADAPTERS } from "../generate/adapter-mix.ts";
import type { OutputOptions } from "./draw-options.ts";
import type { Target } from "./picture-file.ts";

/** Options of the command that began the drawing; paths are as given, to be read from `folder`. */
export interface JobOptions
  extends Pick<
    OutputOptions,
    "out" | "json" | "saveTokens" | "preview" | "previewFile" | "model" | "noise" | "adapter"
  > {
  /** Working directory. */
  readonly folder: string;
}

/** As plain JSON. */
export function ownOf({
  out,
  json,
  saveTokens,
  preview,
  previewFile,
  model,
  noise,
  adapter,
}: OutputOptions): JobOptions {
  return {
    folder: process.cwd(),
    out,
    preview,
    ...(json === undefined ? {} : { json }),
    ...(saveTokens === undefined ? {} : { saveTokens }),
    ...(previewFile === undefined ? {} : { previewFile }),
    ...(model === undefined ? {} : { model }),
    ...(noise === undefined ? {} : { noise }),
    // Scales are the recipes'.
    ...(adapter === undefined ? {} : { adapter: adapter.map(({ path }) => ({ path })) }),
  };
}

/**
 * The options again; paths stay as they were given where the working directory is the same one.
 * @throws DataFormatError for a job that no command wrote.
 */
export function jobOptions(own: unknown, where: string): JobOptions {
  const refuse = (): DataFormatError =>
    new DataFormatError("does not say where its pictures go", {
      where,
      remedy: "it was not written by this command: resume it with model.resume",
    });
  if (!isJsonObject(own)) throw refuse();
  const { folder, out, preview, previewFile, json, saveTokens, model, noise, adapter } = own;
  if (typeof folder !== "string" || typeof preview !== "boolean") throw refuse();
  if (json !== undefined && json !== true) throw refuse();
  const place = (path: unknown): string => {
    if (typeof path !== "string" || path === "" || path.includes("\0")) throw refuse();
    return folder === process.cwd() ? path : resolve(folder, path);
  };
  return {
    folder,
    out: targetOf(out, place, refuse),
    preview,
    ...(json === undefined ? {} : { json }),
    ...(saveTokens === undefined ? {} : { saveTokens: place(saveTokens) }),
    ...(previewFile === undefined ? {} : { previewFile: place(previewFile) }),
    ...(model === undefined ? {} : { model: modelName(model, place) }),
    ...(noise === undefined ? {} : { noise: place(noise) }),
    ...(adapter === undefined ? {} : { adapter: adaptersOf(adapter, place, refuse) }),
  };
}

function adaptersOf(
  adapters: unknown,
  place: (path: unknown) => string,
  refuse: () => Error,
): readonly { readonly path: string }[] {
  if (!Array.isArray(adapters) || adapters.length > MAX_ADAPTERS) throw refuse();
  return adapters.map((adapter: unknown) => {
    if (!isJsonObject(adapter)) throw refuse();
    return { path: place(adapter.path) };
  });
}

/** A folder from there, if there is one; a model may have a name that is no path. */
function modelName(model: unknown, place: (path: unknown) => string): string {
  const path = place(model);
  return existsSync(path) ? path : String(model);
}

function targetOf(out: unknown, place: (path: unknown) => string, refuse: () => Error): Target {
  if (!isJsonObject(out)) throw refuse();
  const { kind, path } = out;
  if (kind === "stdout") return { kind };
  if (kind !== "file" && kind !== "folder") throw refuse();
  return { kind, path: place(path) };
}
