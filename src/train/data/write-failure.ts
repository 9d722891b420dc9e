/** @file What is wrong when a data set cannot be written, in words that say what to do. */

import { InputError, NextStepError } from "../../errors.ts";

/** By the system's code. */
const FAULTS: ReadonlyMap<string, readonly [reason: string, remedy: string]> = new Map([
  ["ENOSPC", ["the disk is full", "free some space or name a folder on another disk"]],
  ["EDQUOT", ["the disk quota is used up", "free some space or name a folder on another disk"]],
  ["EFBIG", ["the file system takes no file that large", "name a folder on another disk"]],
  ["EROFS", ["the file system can only be read", "name a folder on another disk"]],
  ["EACCES", ["permission to write is missing", "name a folder that you may write to"]],
  ["EPERM", ["permission to write is missing", "name a folder that you may write to"]],
  ["ENAMETOOLONG", ["the name is too long", "name another folder"]],
  ["ENOTDIR", ["a part of the path is a file", "name another folder"]],
  ["ENOENT", ["its folder cannot be made, or went away", "name another folder"]],
  ["ENOTEMPTY", ["was filled by something else in the meantime", "name a new folder"]],
  ["EEXIST", ["was made by something else in the meantime", "name a new folder"]],
]);

/**
 * A failure to write below `where` as an InputError; one that is typed already, or that has no system code, as it is.
 */
export function writeFailure(cause: unknown, where: string): unknown {
  if (cause instanceof NextStepError || !(cause instanceof Error) || !("code" in cause)) return cause;
  const [reason, remedy] = FAULTS.get(String(cause.code)) ?? [cause.message, "check the disk"];
  return new InputError(`cannot be written: ${reason}`, { where, remedy, cause });
}
