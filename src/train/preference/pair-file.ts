/** @file `pairs.jsonl`: which picture of two is preferred under a prompt, a pair a line. */
import { join } from "node:path";
import { z } from "zod";
import { DataFormatError, InputError } from "../../errors.ts";
import { replaceText } from "../../files/replacement-file.ts";
import { printable } from "../../formats/quoted.ts";
import { decodeText } from "../../formats/text.ts";
import { checkText } from "../../sequence/text-limits.ts";
import { firstIssue, issueField } from "../data/schema-issue.ts";
import { readSmallFile } from "../data/small-file.ts";
import { sourcePath } from "../data/source-path.ts";

export const PAIRS_FILE = "pairs.jsonl";
/** A line has some hundred bytes. */
const MAX_BYTES = 256 * 1024 * 1024;
const MAX_PAIRS = 1_000_000;

const pairSchema = z.strictObject({
  prompt: z.string().refine((prompt) => prompt.trim() !== "", "is empty"),
  /** Files below the folder. */
  winner: z.string().min(1),
  loser: z.string().min(1),
  /** By which they were chosen. */
  winnerReward: z.number().optional(),
  loserReward: z.number().optional(),
});

export type PreferencePair = z.infer<typeof pairSchema>;

/** A pair with the paths of its pictures, and the line that it stands in, for messages. */
export interface PlacedPair extends PreferencePair {
  readonly winnerPath: string;
  readonly loserPath: string;
  readonly where: string;
}

/**
 * Reads the pairs of a folder.
 * @throws InputError without the file; what {@link parsePairs} throws.
 */
export async function readPairs(folder: string): Promise<PlacedPair[]> {
  return parsePairs(await readSmallFile(join(folder, PAIRS_FILE), MAX_BYTES), folder);
}

/**
 * The pairs of a file's bytes; lines that are empty are passed over.
 * @throws DataFormatError naming the first line that is no pair, or whose pictures lie outside of the folder.
 */
export function parsePairs(bytes: Uint8Array, folder: string): PlacedPair[] {
  const path = join(folder, PAIRS_FILE);
  const pairs: PlacedPair[] = [];
  for (const [index, line] of decodeText(bytes, path).split(/\r?\n/).entries()) {
    if (line.trim() === "") continue;
    if (pairs.length === MAX_PAIRS) {
      throw new DataFormatError(`has more than ${MAX_PAIRS} pairs`, { where: path });
    }
    pairs.push(parsePair(line, folder, `${path}:${index + 1}`));
  }
  if (pairs.length === 0) throw new DataFormatError("holds no pairs", { where: path });
  return pairs;
}

function parsePair(line: string, folder: string, where: string): PlacedPair {
  const remedy = 'write {"prompt": "...", "winner": "a.png", "loser": "b.png"}';
  let json: unknown;
  try {
    json = JSON.parse(line);
  } catch (cause) {
    throw new DataFormatError("is not JSON", { where, remedy, cause });
  }
  const { data: pair, error } = pairSchema.safeParse(json);
  if (pair === undefined) {
    const issue = firstIssue(error);
    const field = issue === undefined ? "" : issueField(issue);
    const reason = `${field === "" ? "pair" : field}: ${issue?.message ?? "is not valid"}`;
    throw new DataFormatError(printable(reason), { where, remedy });
  }
  try {
    checkText(pair.prompt);
  } catch (cause) {
    if (cause instanceof InputError) throw new DataFormatError(`prompt: ${cause.reason}`, { where, cause });
    throw cause;
  }
  const winnerPath = sourcePath(folder, pair.winner, where);
  const loserPath = sourcePath(folder, pair.loser, where);
  if (winnerPath === loserPath) {
    throw new DataFormatError("winner and loser are one picture, which teaches nothing", { where });
  }
  return { ...pair, winnerPath, loserPath, where };
}

/** Writes the pairs of a folder; the file appears whole. */
export async function writePairs(folder: string, pairs: readonly PreferencePair[]): Promise<void> {
  await replaceText(join(folder, PAIRS_FILE), pairs.map((pair) => `${JSON.stringify(pair)}\n`).join(""));
}
