/** @file One process at a time in a folder that it writes for long: a training run, a conversion. */
import { InputError } from "../errors.ts";
import { ProcessLock } from "./process-lock.ts";
import { removeTemporaryFiles } from "./replacement-file.ts";
import { writeFailure } from "./write-failure.ts";

/**
 * Locks `folder`, which is made if need be; the lock ends with the process at the latest. Removes the temporary files of
 * processes that were killed, now that nobody writes there.
 * @param doing what the process does there, for messages: "trains", "converts".
 * @throws InputError naming the process that works there, or the folder when it cannot be written to.
 */
export async function lockFolder(folder: string, doing: string): Promise<ProcessLock> {
  const lock = await ProcessLock.acquire(
    folder,
    (pid) =>
      new InputError(`process ${pid} ${doing} in this folder`, {
        where: folder,
        remedy: "wait until it has ended, or choose another output folder",
      }),
  );
  try {
    await removeTemporaryFiles(folder);
  } catch (cause) {
    await lock[Symbol.asyncDispose]();
    throw writeFailure(cause, folder);
  }
  return lock;
}
