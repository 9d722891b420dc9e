/** @file Converts a model from the hub while it is fetched, so that it is never on the disk as a whole. */
import { rm, rmdir, stat } from "node:fs/promises";
import { join } from "node:path";
import type { ConversionBits } from "../checkpoint/quantized/conversion-formats.ts";
import { UnsupportedError } from "../errors.ts";
import { LocalFolder } from "../files/local-folder.ts";
import type { HubSettings } from "../hub/hub-settings.ts";
import { PassingModel, type PassingOptions } from "../hub/passing-model.ts";
import { formatRepoName, type RepoName } from "../hub/repo-name.ts";
import { readManifest } from "./conversion-manifest.ts";
import {
  type Conversion,
  type ConversionRequest,
  convertModel,
  finishedConversion,
  refuseForeign,
} from "./convert-model.ts";
import { type PassingShardsOptions, passingShards } from "./passing-shards.ts";
import { isQuantizedByOthers } from "./repack-model.ts";

/** Inside the result's folder; gone when it is whole. */
const PASSING_FOLDER = ".source";

export interface PassingConversion
  extends Pick<ConversionRequest, "target" | "threads" | "signal" | "onSpace" | "onProgress">,
    Pick<PassingShardsOptions, "onFetched">,
    Pick<PassingOptions, "onRetry" | "clock"> {
  readonly name: RepoName;
  readonly settings: HubSettings;
  readonly bits: ConversionBits;
}

/**
 * Fetches shard by shard, converts each and drops it; or goes on with that, at the commit that it began with. What the
 * hub's cache holds is used from there and stays. The disk holds the result and one shard, or two where it has room.
 * @throws as {@link PassingModel.open} and {@link convertModel} do; UnsupportedError for weights that are in blocks already.
 */
export async function convertPassing(request: PassingConversion): Promise<Conversion> {
  const { name, settings, target, bits, signal, threads } = request;
  await refuseForeign(target);
  const typed = formatRepoName(name);
  const begun = (await readManifest(target))?.source;
  const isSame = begun?.name === typed && begun.revision !== undefined;
  const finished = isSame ? await finishedConversion(target, bits) : undefined;
  if (finished !== undefined) {
    // A process that was killed at the very end leaves it.
    await rm(join(target, PASSING_FOLDER), { recursive: true, force: true });
    return finished;
  }
  const { onRetry, clock, onFetched, onSpace, onProgress } = request;
  const isNew = (await stat(target).catch(() => undefined)) === undefined;
  const passing = isSame ? { repository: name.repository, revision: begun.revision as string } : name;
  await using model = await PassingModel.open(passing, settings, {
    folder: join(target, PASSING_FOLDER),
    ...(signal === undefined ? {} : { signal }),
    ...(onRetry === undefined ? {} : { onRetry }),
    ...(clock === undefined ? {} : { clock }),
  }).catch(async (error: unknown) => {
    // A folder that was there is somebody's.
    if (isNew) await rmdir(target).catch(() => {});
    throw error;
  });
  const files = new LocalFolder(model.folder);
  if (await isQuantizedByOthers(files)) {
    throw new UnsupportedError("stores its weights in blocks already, which are repacked from a whole copy", {
      where: typed,
      remedy: `run \`nextstep pull ${typed}\`, then convert without --pull`,
    });
  }
  const conversion = await convertModel({
    name: typed,
    revision: model.commit,
    files,
    shards: passingShards(model, { signal, ...(onFetched === undefined ? {} : { onFetched }) }),
    ...{ target, bits },
    ...(threads === undefined ? {} : { threads }),
    ...(signal === undefined ? {} : { signal }),
    ...(onSpace === undefined ? {} : { onSpace }),
    ...(onProgress === undefined ? {} : { onProgress }),
  });
  await model.remove();
  return conversion;
}
