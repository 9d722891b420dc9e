/** @file What the models in the cache are, and whether they can be opened. */
import { join } from "node:path";
import { isAutoencoderConfig } from "../checkpoint/inspect-json.ts";
import { type Inspection, problemsOf } from "../checkpoint/inspection.ts";
import { NextStepError } from "../errors.ts";
import { FileSource } from "../files/file-source.ts";
import { LocalFolder } from "../files/local-folder.ts";
import { isJsonObject, type JsonObject, readJson } from "../formats/json-file.ts";
import { INDEX_FILE, readWeightMap } from "../formats/safetensors-set.ts";
import { formatRepoName } from "../hub/repo-name.ts";
import { type CachedRepository, type CachedRevision, scanCache } from "../hub/scan-cache.ts";
import { publishedRelease } from "../model/config.ts";
import { inspectPath } from "./inspect-path.ts";

export type ModelKind =
  | "NextStep-1"
  | "NextStep-1.1"
  | "converted"
  | "quantized"
  | "autoencoder"
  | "language model"
  | "unknown";

/** A revision of a model in the cache; a download that never came so far has no commit. */
export interface CachedModel {
  /** As `--model` takes it. */
  readonly name: string;
  readonly repository: string;
  readonly commit: string | null;
  /** Branches and tags that stand for it. */
  readonly refs: readonly string[];
  readonly folder: string | null;
  /** On the disk; what revisions share counts for each. */
  readonly bytes: number;
  readonly kind: ModelKind;
  /** Whether `--model` takes it to draw. */
  readonly canOpen: boolean;
  /** What keeps it from that, or what it is for instead, in words. */
  readonly needs: readonly string[];
  /** Bytes of its weights once they are in memory as float32; null where they are not known. */
  readonly memory: number | null;
}

/** Reads configurations and headers, no weights. */
export async function cachedModels(cache: string): Promise<CachedModel[]> {
  const models: CachedModel[] = [];
  for (const found of await scanCache(cache)) {
    if (found.revisions.length === 0) models.push(begunModel(found));
    for (const revision of found.revisions) models.push(await describe(found, revision));
  }
  return models;
}

function begunModel({ repository, bytes }: CachedRepository): CachedModel {
  return {
    name: repository,
    repository,
    commit: null,
    refs: [],
    folder: null,
    bytes,
    kind: "unknown",
    canOpen: false,
    needs: [`the rest of it: nextstep pull ${repository}`],
    memory: null,
  };
}

async function describe(
  { repository }: CachedRepository,
  { commit, refs, folder, bytes }: CachedRevision,
): Promise<CachedModel> {
  // The default branch needs no mention; what has no branch or tag goes by its commit.
  const revision = refs.includes("main") ? "main" : (refs[0] ?? commit);
  const name = formatRepoName({ repository, revision });
  const base = { name, repository, commit, refs, folder, bytes };
  try {
    const config = await readConfig(folder);
    const kind = kindOf(config);
    if (kind === "unknown") {
      return { ...base, kind, canOpen: false, needs: ["nothing: it is no model of this kind"], memory: null };
    }
    const missing = await missingShards(folder);
    if (missing.length > 0) {
      const needs = [`${missing.length} missing shards: nextstep pull ${name}`];
      return { ...base, kind, canOpen: false, needs, memory: null };
    }
    return { ...base, kind, ...use(await inspectPath(folder)) };
  } catch (error) {
    if (!(error instanceof NextStepError)) throw error;
    const needs = [`${error.reason}: nextstep pull ${name}`];
    return { ...base, kind: "unknown", canOpen: false, needs, memory: null };
  }
}

/** What can be done with what was found out. */
function use(inspection: Inspection): Pick<CachedModel, "canOpen" | "needs" | "memory"> {
  const fatal = problemsOf(inspection).filter((problem) => problem.fatal);
  const needs = fatal.slice(0, 1).map(({ subject, detail }) => `${subject} ${detail}`);
  if (fatal.length > 1) needs.push(`and ${fatal.length - 1} more: nextstep inspect`);
  const parts = "parts" in inspection ? inspection.parts : [];
  const memory = 4 * parts.reduce((sum, { parameters }) => sum + parameters, 0);
  if (inspection.kind === "autoencoder") needs.push("a model: by itself it only codes pictures");
  if (inspection.kind === "model" && fatal.length === 0) {
    if (!inspection.hasImageModules) needs.push("training: it has no image modules");
    else if (inspection.autoencoder === undefined) needs.push("an autoencoder in vae/");
  }
  return { canOpen: needs.length === 0, needs, memory };
}

async function readConfig(folder: string): Promise<JsonObject> {
  const json = await readJson(await FileSource.open(join(folder, "config.json")));
  return isJsonObject(json) ? json : {};
}

function kindOf(config: JsonObject): ModelKind {
  if (isAutoencoderConfig(config)) return "autoencoder";
  const { model_type: type, quantization_config: quantization } = config;
  if (type === "qwen2") return "language model";
  if (type !== "nextstep") return "unknown";
  if (isJsonObject(quantization)) return quantization.quant_method === "nextstep" ? "converted" : "quantized";
  return publishedRelease(config) === "v1" ? "NextStep-1" : "NextStep-1.1";
}

async function missingShards(folder: string): Promise<string[]> {
  const files = new LocalFolder(folder);
  if (!(await files.has(INDEX_FILE))) return [];
  const shards = new Set((await readWeightMap(await files.open(INDEX_FILE))).values());
  const missing: string[] = [];
  for (const shard of shards) if (!(await files.has(shard))) missing.push(shard);
  return missing;
}
