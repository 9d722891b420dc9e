/** @file Which files of a repository a model folder is made of (docs/nextstep-spec.md 1.2). */
import { DownloadError, UnsupportedError } from "../errors.ts";
import { AUTOENCODER_FILES, TOKENIZER_FILES } from "../formats/model-file-names.ts";
import { quoted } from "../formats/quoted.ts";
import { INDEX_FILE, SINGLE_FILE } from "../formats/safetensors-set.ts";
import type { RepoFile, RepoListing } from "./repo-listing.ts";

/** What a model is pulled for; `all` adds what else the repository holds, code and pickles never. */
export const PULL_PURPOSES = ["draw", "edit", "all"] as const;
export type PullPurpose = (typeof PULL_PURPOSES)[number];

export const CONFIG_FILE = "config.json";
/** Where a model folder has its autoencoder. */
export const AUTOENCODER_FOLDER = "vae";
/** The published autoencoder by itself. */
export const AUTOENCODER_REPOSITORY = "stepfun-ai/NextStep-1-f8ch16-Tokenizer";

/** Beside weights and tokenizer: what the model draws with, and what says how it was quantized. */
const SETTINGS_FILES: readonly string[] = [
  CONFIG_FILE,
  "nextstep.json",
  "quantization_config.json",
  "quantize_config.json",
];
/** Terms travel with the weights. */
const TERMS = /^(?:licen[cs]e|notice|readme)(?:\.(?:md|txt))?$/i;
/** Code, and pickles, which are code too. */
const NEVER =
  /\.(?:py[cdo]?|ipynb|sh|bat|ps1|exe|dll|so|dylib|bin|ckpt|pth?|pkl|pickle|h5|msgpack|joblib|npy)$/i;
/** Of this many bytes at most are descriptions, which are read before anything else is fetched. */
const MAX_DESCRIPTION_BYTES = 100_000_000;

/** What a repository turns out to be. */
export type RepoContent =
  /** `index` lists the shards if there are several. */
  | { readonly kind: "model"; readonly index: RepoFile | undefined; readonly hasAutoencoder: boolean }
  | { readonly kind: "autoencoder"; readonly weights: RepoFile };

/** @throws UnsupportedError if it holds no weights that this program reads. */
export function contentOf({ files, repository }: RepoListing): RepoContent {
  const byPath = new Map(files.map((file) => [file.path, file]));
  const index = byPath.get(INDEX_FILE);
  const autoencoder = AUTOENCODER_FILES.find((name) => byPath.has(`${AUTOENCODER_FOLDER}/${name}`));
  const isModel = index !== undefined || byPath.has(SINGLE_FILE);
  const own = AUTOENCODER_FILES.map((name) => byPath.get(name)).find((file) => file !== undefined);
  const isWhole = index !== undefined || autoencoder !== undefined;
  const hasTokenizer = TOKENIZER_FILES.some((name) => byPath.has(name));
  if (byPath.has(CONFIG_FILE) && own !== undefined && !isWhole && !hasTokenizer) {
    return { kind: "autoencoder", weights: own };
  }
  if (!byPath.has(CONFIG_FILE) || !isModel) {
    const isGguf = files.some(({ path }) => path.endsWith(".gguf"));
    throw new UnsupportedError(
      isGguf ? "holds GGUF files, which are not read" : "holds no config.json with safetensors weights",
      { where: repository, remedy: "name a repository with safetensors, as the published ones are" },
    );
  }
  for (const file of [index, byPath.get(CONFIG_FILE)]) {
    if (file === undefined || file.bytes <= MAX_DESCRIPTION_BYTES) continue;
    throw new DownloadError(`${file.path} has ${file.bytes} bytes, far too many for what it is`, {
      where: repository,
      remedy: "choose another repository",
    });
  }
  return { kind: "model", index, hasAutoencoder: autoencoder !== undefined };
}

/**
 * The files to fetch, small ones first, so that a mistake shows early.
 * @param shards that the index names; undefined without an index.
 * @throws DownloadError if the index names a file that is not there.
 */
export function wantedFiles(
  listing: RepoListing,
  content: RepoContent,
  shards: readonly string[] | undefined,
  purpose: PullPurpose,
): RepoFile[] {
  const { files, repository } = listing;
  const wanted = new Set<string>([...SETTINGS_FILES, ...TOKENIZER_FILES]);
  if (content.kind === "autoencoder") wanted.add(content.weights.path);
  else {
    for (const shard of shards ?? [SINGLE_FILE]) {
      if (!files.some(({ path }) => path === shard)) {
        throw new DownloadError(`its index names ${quoted(shard)}, which is not there`, {
          where: repository,
          remedy: "the repository is not whole: choose another revision",
        });
      }
      wanted.add(shard);
    }
    if (content.index !== undefined) wanted.add(content.index.path);
    wanted.add(`${AUTOENCODER_FOLDER}/${CONFIG_FILE}`);
    const paths = AUTOENCODER_FILES.map((name) => `${AUTOENCODER_FOLDER}/${name}`);
    const weights = paths.find((path) => files.some((file) => file.path === path));
    if (weights !== undefined) wanted.add(weights);
  }
  return files
    .filter(({ path }) => wanted.has(path) || TERMS.test(path) || (purpose === "all" && !NEVER.test(path)))
    .sort((a, b) => a.bytes - b.bytes || (a.path < b.path ? -1 : 1));
}
