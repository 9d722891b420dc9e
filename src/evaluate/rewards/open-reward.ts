/** @file Opens what a reward needs: data, a net, a program. */
import { join } from "node:path";
import { ConfigError } from "../../errors.ts";
import { readImage } from "../../files/decode-image.ts";
import { digestFile } from "../../files/file-digest.ts";
import { LocalEngine } from "../../runtime/node/local-engine.ts";
import type { JsonValue } from "../../train/plain-json.ts";
import { EvaluationData, SUBJECTS_FILE } from "../emoji/evaluation-data.ts";
import { netScorer, type Scorer, SHAPE_SCORER } from "../emoji/scorer.ts";
import { NetFeatures } from "../net-features.ts";
import { commandReward } from "./command-reward.ts";
import { likenessReward } from "./likeness-reward.ts";
import type { RewardSpec } from "./reward-spec.ts";
import { type PromptReward, sceneReward } from "./scene-rewards.ts";

export interface RewardSources {
  /** Folder that `nextstep data emoji` made, for the rewards that know its things. */
  readonly data?: string;
  /** File of EfficientNet-lite0, by whose features pictures are compared; else by shape and colour. */
  readonly features?: string;
  /** Of the net; default: all processors. */
  readonly threads?: number;
}

export interface OpenReward extends PromptReward, AsyncDisposable {
  readonly name: RewardSpec["name"];
  /** What its numbers follow from, as far as that is known: a program may be another one under the same name. */
  readonly identity: JsonValue;
}

/**
 * @throws ConfigError for sources that are missing or do nothing; InputError and DataFormatError for what cannot be opened.
 */
export async function openReward(spec: RewardSpec, sources: RewardSources = {}): Promise<OpenReward> {
  checkSources(spec, sources);
  const opened: AsyncDisposable[] = [];
  const close = async (): Promise<void> => {
    for (const own of opened.splice(0).reverse()) await own[Symbol.asyncDispose]();
  };
  const keep = <Own extends AsyncDisposable>(own: Own): Own => {
    opened.push(own);
    return own;
  };
  try {
    const judge = await judgeOf(spec, sources, keep);
    const identity = await identityOf(spec, sources);
    return { ...judge, name: spec.name, identity, [Symbol.asyncDispose]: close };
  } catch (error) {
    await close();
    throw error;
  }
}

type Keep = <Own extends AsyncDisposable>(own: Own) => Own;

async function judgeOf(spec: RewardSpec, sources: RewardSources, keep: Keep): Promise<PromptReward> {
  // What judges pictures by themselves takes any prompt.
  const refuseUnjudged = (): void => undefined;
  switch (spec.name) {
    case "command": {
      const { reward } = keep(await commandReward(spec.command, spec.format));
      return { reward, refuseUnjudged };
    }
    case "likeness": {
      const picture = await readImage(spec.picture);
      return { reward: await likenessReward(picture, await scorerOf(sources, keep)), refuseUnjudged };
    }
    default: {
      const data = keep(await EvaluationData.open(sources.data as string));
      return sceneReward(spec.name, data, await scorerOf(sources, keep));
    }
  }
}

async function scorerOf({ features, threads }: RewardSources, keep: Keep): Promise<Scorer> {
  if (features === undefined) return SHAPE_SCORER;
  const engine = keep(new LocalEngine({ spin: false, ...(threads === undefined ? {} : { threads }) }));
  return netScorer(await NetFeatures.open(engine, features));
}

/** Rewards that compare pictures by their features. */
const COMPARING: ReadonlySet<RewardSpec["name"]> = new Set(["subject", "position", "likeness"]);

function checkSources({ name }: RewardSpec, { data, features }: RewardSources): void {
  const where = `reward ${name}`;
  const knowsThings = name !== "likeness" && name !== "command";
  if (knowsThings && data === undefined) {
    throw new ConfigError("needs the data whose things it knows", {
      where,
      remedy: "give its folder (--data, or reward.data of a training config)",
    });
  }
  const unused =
    !knowsThings && data !== undefined
      ? "--data"
      : !COMPARING.has(name) && features !== undefined
        ? "--features"
        : undefined;
  if (unused !== undefined)
    throw new ConfigError(`does nothing with ${unused}`, { where, remedy: "leave it out" });
}

async function identityOf(spec: RewardSpec, { data, features }: RewardSources): Promise<JsonValue> {
  const own = "picture" in spec ? { picture: await digestFile(spec.picture) } : {};
  return {
    ...spec,
    ...own,
    ...(data === undefined ? {} : { things: await digestFile(join(data, SUBJECTS_FILE)) }),
    ...(features === undefined ? {} : { features: await digestFile(features) }),
  };
}
