/** @file Pairs of pictures for preference training: drawn, scored and chosen, so that a run that was stopped goes on. */
import { join } from "node:path";
import { z } from "zod";
import { InputError, refuseAborted } from "../../errors.ts";
import { lockFolder } from "../../files/folder-lock.ts";
import { replaceFile, replaceText } from "../../files/replacement-file.ts";
import type { DrawOptions } from "../../generate/draw-options.ts";
import type { Picture } from "../../generate/picture.ts";
import { type PreferencePair, writePairs } from "../../train/preference/pair-file.ts";
import { type Reward, rewardsOf } from "../../train/reward/reward.ts";
import { randomFor } from "../../train/step-random.ts";
import {
  makeRunFolder,
  type RunIdentity,
  readTextIfThere,
  readWholePicture,
  settleRun,
} from "../run-folder.ts";
import { choosePairs } from "./choose-pairs.ts";

type DrawnPicture = Pick<Picture, "pixels" | "toPng">;

/** What draws: an open model. */
export interface Drawer {
  draw(prompt: string, options: DrawOptions): Promise<readonly DrawnPicture[]>;
}

export interface PairRun {
  readonly prompts: readonly string[];
  readonly reward: Reward;
  readonly out: string;
  /** What pictures and rewards depend on beside prompts and numbers: a folder holds the pairs of one run alone. */
  readonly identity: RunIdentity;
  /** Pictures of a prompt, with seeds behind one another. */
  readonly perPrompt: number;
  /** Most pairs of a prompt. */
  readonly pairs: number;
  /** By how much more a winner has than its loser, at least; without it, by any difference. */
  readonly apart?: number;
  /** Of the first picture of the first prompt. */
  readonly seed: number;
  readonly options: Omit<DrawOptions, "seed" | "count" | "images" | "signal">;
  /** Pictures that are drawn at once. */
  readonly atOnce: number;
  readonly signal: AbortSignal;
  /** Told the pictures that are drawn and scored, of all. */
  readonly onProgress: (done: number, of: number) => void;
}

export interface PairOutcome {
  readonly pairs: number;
  /** Pictures that this run drew. */
  readonly drawn: number;
  /** Prompts whose pictures have rewards that are not apart, so that none is preferred. */
  readonly undecided: readonly string[];
  /** Mean reward of all pictures, of winners and of losers. */
  readonly reward: { readonly all: number; readonly winners: number; readonly losers: number };
}

const IDENTITY_FILE = "nextstep-prefer.json";
const PROMPTS = "prompts";
const PICTURES = "pictures";

const doneSchema = z.strictObject({
  prompt: z.string(),
  rewards: z.array(z.number()),
  pairs: z.array(
    z.strictObject({
      prompt: z.string(),
      winner: z.string(),
      loser: z.string(),
      winnerReward: z.number(),
      loserReward: z.number(),
    }),
  ),
});
/** A prompt that is done, as its file says it: all rewards, and the pairs that were chosen. */
type DonePrompt = z.infer<typeof doneSchema>;

/**
 * Makes the folder: `pictures/`, of the pairs alone; `prompts/`, a file a prompt with all rewards; and in the end pairs.jsonl.
 * A prompt that is done is not drawn again.
 * @throws ConfigError when the folder holds another run; InputError for a reward that fails or prefers nothing; AbortedError
 */
export async function makePairs(drawer: Drawer, run: PairRun): Promise<PairOutcome> {
  const { prompts, out, perPrompt, onProgress } = run;
  await makeRunFolder(out);
  await using _lock = await lockFolder(out, "makes pairs");
  await settleRun(out, {
    file: IDENTITY_FILE,
    identity: run.identity,
    refusal: "holds pairs of other prompts, another model, reward, seed or settings",
    remedy: "name another folder for this run",
  });
  const done: DonePrompt[] = [];
  let drawn = 0;
  const tell = (pictures: number): void =>
    onProgress(done.length * perPrompt + pictures, prompts.length * perPrompt);
  for (const [index, prompt] of prompts.entries()) {
    refuseAborted(run.signal);
    tell(0);
    const known = await readDone(run, index);
    done.push(known ?? (await judgePrompt(drawer, run, index, prompt, tell)));
    if (known === undefined) drawn += perPrompt;
  }
  tell(0);
  const pairs = done.flatMap((own) => own.pairs);
  if (pairs.length === 0) {
    const { apart = 0 } = run;
    const reason =
      apart === 0
        ? "gave all pictures of each prompt the same number, so that none is preferred"
        : `gave no two pictures of a prompt numbers that are ${apart} apart`;
    throw new InputError(reason, {
      where: "reward",
      remedy: "ask for what the model draws sometimes right and sometimes wrong",
    });
  }
  await writePairs(out, pairs);
  return {
    pairs: pairs.length,
    drawn,
    undecided: done.filter((own) => own.pairs.length === 0).map(({ prompt }) => prompt),
    reward: {
      all: mean(done.flatMap(({ rewards }) => rewards)),
      winners: mean(pairs.map(({ winnerReward }) => winnerReward)),
      losers: mean(pairs.map(({ loserReward }) => loserReward)),
    },
  };
}

function mean(values: readonly number[]): number {
  return values.reduce((a, b) => a + b, 0) / values.length;
}

/** `00012` of `out/prompts/00012.json` and `out/pictures/00012-3.png`. */
function nameOf(index: number): string {
  return String(index).padStart(5, "0");
}

function fileOf({ out }: PairRun, index: number): string {
  return join(out, PROMPTS, `${nameOf(index)}.json`);
}

/** Undefined where the prompt is not done, or something of it is damaged. */
async function readDone(run: PairRun, index: number): Promise<DonePrompt | undefined> {
  const text = await readTextIfThere(fileOf(run, index));
  if (text === undefined) return undefined;
  const done = parseDone(text);
  if (done === undefined) return undefined;
  for (const name of new Set(done.pairs.flatMap(({ winner, loser }) => [winner, loser]))) {
    if ((await readWholePicture(join(run.out, name))) === undefined) return undefined;
  }
  return done;
}

function parseDone(text: string): DonePrompt | undefined {
  try {
    return doneSchema.safeParse(JSON.parse(text)).data;
  } catch (error) {
    if (error instanceof SyntaxError) return undefined;
    throw error;
  }
}

async function judgePrompt(
  drawer: Drawer,
  run: PairRun,
  index: number,
  prompt: string,
  tell: (pictures: number) => void,
): Promise<DonePrompt> {
  const { perPrompt, atOnce, seed, options, signal, out } = run;
  const pictures: DrawnPicture[] = [];
  while (pictures.length < perPrompt) {
    const count = Math.min(atOnce, perPrompt - pictures.length);
    const first = seed + index * perPrompt + pictures.length;
    pictures.push(...(await drawer.draw(prompt, { ...options, seed: first, count, signal })));
    tell(pictures.length);
  }
  const rewards = await rewardsOf(
    run.reward,
    pictures.map(({ pixels }) => ({ prompt, pixels })),
    { signal },
  );
  const name = (place: number): string => `${PICTURES}/${nameOf(index)}-${place}.png`;
  const pairs = choosePairs(
    rewards,
    { count: run.pairs, apart: run.apart ?? 0 },
    randomFor(seed, "preferred", index),
  ).map(({ winner, loser }): DonePrompt["pairs"][number] & PreferencePair => ({
    ...{ prompt, winner: name(winner), loser: name(loser) },
    ...{ winnerReward: rewards[winner] as number, loserReward: rewards[loser] as number },
  }));
  const kept = new Set(pairs.flatMap(({ winner, loser }) => [winner, loser]));
  for (const [place, picture] of pictures.entries()) {
    if (!kept.has(name(place))) continue;
    const png = await picture.toPng();
    await replaceFile(join(out, name(place)), (file) => file.write(png));
  }
  const done = { prompt, rewards: [...rewards], pairs };
  // Behind its pictures: where it is there, they are.
  await replaceText(fileOf(run, index), `${JSON.stringify(done)}\n`);
  return done;
}
