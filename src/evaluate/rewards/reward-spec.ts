/** @file Rewards by name, as they are asked for: `count`, `likeness:cup.png`, `command:python score.py`. */
import { ConfigError } from "../../errors.ts";
import { quoted } from "../../formats/quoted.ts";
import type { LineFormat } from "./command-reward.ts";

/** Rewards by the evaluation's detectors. */
export const SCENE_REWARDS = ["subject", "colour", "count", "position"] as const;
export type SceneReward = (typeof SCENE_REWARDS)[number];

export type RewardSpec =
  | { readonly name: SceneReward }
  | { readonly name: "likeness"; readonly picture: string }
  | { readonly name: "command"; readonly command: string; readonly format: LineFormat };

/** What stands behind the colon of a name that takes something. */
const ARGUMENTS: Readonly<Record<string, readonly [what: string, spec: (argument: string) => RewardSpec]>> = {
  likeness: ["a picture", (picture) => ({ name: "likeness", picture })],
  command: ["a program that is given paths", (command) => ({ name: "command", command, format: "path" })],
  "command-json": [
    "a program that is given paths and prompts",
    (command) => ({ name: "command", command, format: "json" }),
  ],
};

/** What a reward may begin with: names, those that take something with their colon. */
export const REWARD_BEGINNINGS: readonly string[] = [
  ...SCENE_REWARDS,
  ...Object.keys(ARGUMENTS).map((name) => `${name}:`),
];

/** All that can be asked for, for help and messages. */
export const REWARD_FORMS = [
  ...SCENE_REWARDS,
  "likeness:FILE",
  "command:PROGRAM",
  "command-json:PROGRAM",
].join(", ");

/**
 * Nothing is opened.
 * @throws ConfigError for a name that is none, a missing argument, or one that does nothing.
 */
export function parseRewardSpec(text: string): RewardSpec {
  const colon = text.indexOf(":");
  const name = colon < 0 ? text : text.slice(0, colon);
  const argument = colon < 0 ? "" : text.slice(colon + 1).trim();
  const where = `reward ${quoted(text)}`;
  const scene = SCENE_REWARDS.find((own) => own === name);
  if (scene !== undefined) {
    if (colon < 0) return { name: scene };
    throw new ConfigError("takes nothing behind a colon", { where, remedy: `write ${name}` });
  }
  const argued = Object.hasOwn(ARGUMENTS, name) ? ARGUMENTS[name] : undefined;
  if (argued === undefined)
    throw new ConfigError("is none", { where, remedy: `give one of ${REWARD_FORMS}` });
  const [what, spec] = argued;
  if (argument === "") throw new ConfigError(`lacks ${what}`, { where, remedy: `write ${name}:...` });
  return spec(argument);
}
