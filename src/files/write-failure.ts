/** @file What is wrong when a file or folder cannot be written, in words that say what to do. */

import { InputError, NextStepError } from "../errors.ts";
import { finalPath } from "./partial-name.ts";

/** By the system's code. */
const FAULTS: ReadonlyMap<string, readonly [reason: string, remedy: string]> = new Map([
  ["ENOSPC", ["the disk is full", "free some space or name a place on another disk"]],
  ["EDQUOT", ["the disk quota is used up", "free some space or name a place on another disk"]],
  ["EFBIG", ["the file system takes no file that large", "name a place on another disk"]],
  ["EROFS", ["the file system can only be read", "name a place on another disk"]],
  ["EACCES", ["permission to write is missing", "name a place that you may write to"]],
  ["EPERM", ["permission to write is missing", "name a place that you may write to"]],
  ["ENAMETOOLONG", ["the name is too long", "choose a shorter one"]],
  ["ENOTDIR", ["a part of the path is a file", "choose another place"]],
  ["ENOENT", ["its folder cannot be made, or went away", "choose another place"]],
  ["ENOTEMPTY", ["was filled by something else in the meantime", "choose a new name"]],
  ["EEXIST", ["was made by something else in the meantime", "choose a new name"]],
]);

/**
 * A failure to write below `where` as an InputError that names the path as it was to be; one that is typed already, or
 * that has no system code, as it is.
 */
export function writeFailure(cause: unknown, where: string): unknown {
  if (cause instanceof NextStepError || !(cause instanceof Error) || !("code" in cause)) return cause;
  const [reason, remedy] = FAULTS.get(String(cause.code)) ?? [cause.message, "check the disk"];
  return new InputError(`cannot be written: ${reason}`, { where: finalPath(where), remedy, cause });
}

/** Whether an error is the system's, with one of the codes. */
export function hasCode(error: unknown, ...codes: readonly string[]): boolean {
  return error instanceof Error && "code" in error && codes.includes(String(error.code));
}
