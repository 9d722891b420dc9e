/** @file One trainer at a time in a run folder. */
import { InputError } from "../../errors.ts";
import { ProcessLock } from "../../files/process-lock.ts";
import { removeTemporaryFiles } from "../../files/replacement-file.ts";
import { writeFailure } from "../../files/write-failure.ts";

/**
 * Locks the run folder `folder`, which is made if need be; the lock ends with the process at the latest. Removes the
 * temporary files of processes that were killed, now that nobody writes there.
 * @throws InputError naming the process that trains there, or the folder when it cannot be written to.
 */
export async function lockRun(folder: string): Promise<ProcessLock> {
  const lock = await ProcessLock.acquire(
    folder,
    (pid) =>
      new InputError(`process ${pid} trains in this folder`, {
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
