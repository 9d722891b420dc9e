/** @file What the models in the cache are, and whether they can be opened. */
import { join } from "node:path";
import { isAutoencoderConfig } from "../checkpoint/inspect-json.ts";
import { type Inspection, type MemoryInspection, problemsOf } from "../checkpoint/inspection.ts";
import { NextStepError } from "../errors.ts";
import { FileSource } from "../files/file-source.ts";
import { LocalFolder } from "../files/local-folder.ts";
import { isJsonObject, type JsonObject, readJson } from "../formats/json-file.ts";
import { AUTOENCODER_FILES } from "../formats/model-file-names.ts";
import { INDEX_FILE, readWeightMap, SINGLE_FILE } from "../formats/safetensors-set.ts";
import { formatBytes } from "../hub/format-bytes.ts";
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
  /** What keeps it from that and what to do about it, or what it is for instead, in words. */
  readonly why: readonly string[];
  /** What drawing with it takes, by estimate; null where it cannot draw. */
  readonly memory: MemoryInspection | null;
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
    why: [`its download never came far: nextstep pull ${repository}`],
    memory: null,
  };
}

async function describe(found: CachedRepository, revision: CachedRevision): Promise<CachedModel> {
  const { repository, revisions, incompleteBytes } = found;
  const { commit, refs, folder, bytes } = revision;
  // The default branch needs no mention; what has no branch or tag goes by its commit.
  const name = formatRepoName({ repository, revision: refs.includes("main") ? "main" : (refs[0] ?? commit) });
  const isOnlyOne = revisions.length === 1 && refs.length === 0;
  const pull = `nextstep pull ${isOnlyOne ? repository : name}`;
  const base = { name, repository, commit, refs, folder, bytes };
  const closed = (kind: ModelKind, reason: string): CachedModel => {
    const begun =
      incompleteBytes > 0 ? [`${formatBytes(incompleteBytes)} of a download that stopped are kept`] : [];
    return { ...base, kind, canOpen: false, why: [reason, ...begun], memory: null };
  };
  let kind: ModelKind = "unknown";
  try {
    kind = kindOf(await readConfig(folder));
    if (kind === "unknown") return closed(kind, "it is no model of this kind");
    const missing = await missingWeights(folder, kind);
    const files = missing === 1 ? "a file of its weights is" : `${missing} files of its weights are`;
    if (missing > 0) return closed(kind, `${files} missing: ${pull}`);
    return { ...base, kind, ...use(await inspectPath(folder), name) };
  } catch (error) {
    if (!(error instanceof NextStepError)) throw error;
    return closed(kind, `${error.reason}: ${pull}`);
  }
}

/** What can be done with what was found out. */
function use(inspection: Inspection, name: string): Pick<CachedModel, "canOpen" | "why" | "memory"> {
  const fatal = problemsOf(inspection).filter((problem) => problem.fatal);
  const why = fatal.slice(0, 1).map(({ subject, detail }) => `${subject} ${detail}`);
  if (fatal.length > 1) why.push(`and ${fatal.length - 1} more: nextstep inspect ${name}`);
  const memory = (inspection.kind === "model" ? inspection.memory : undefined) ?? null;
  if (inspection.kind === "autoencoder") why.push("by itself it only codes pictures");
  if (inspection.kind === "model" && fatal.length === 0) {
    if (!inspection.hasImageModules) why.push("it has no image modules, training can start from it");
    else if (inspection.autoencoder === undefined) why.push("it needs an autoencoder in vae/");
  }
  return { canOpen: why.length === 0, why, memory };
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

/** How many files of the weights are not there. */
async function missingWeights(folder: string, kind: ModelKind): Promise<number> {
  const files = new LocalFolder(folder);
  if (await files.has(INDEX_FILE)) {
    const shards = [...new Set((await readWeightMap(await files.open(INDEX_FILE))).values())];
    const there = await Promise.all(shards.map((shard) => files.has(shard)));
    return there.filter((isThere) => !isThere).length;
  }
  const names = kind === "autoencoder" ? AUTOENCODER_FILES : [SINGLE_FILE];
  const there = await Promise.all(names.map((name) => files.has(name)));
  return there.includes(true) ? 0 : 1;
}
