/** @file One trainer at a time in a run folder. */
import { InputError } from "../../errors.ts";
import { ProcessLock } from "../../files/process-lock.ts";

/**
 * Locks the run folder `folder`, which is made if need be; the lock ends with the process at the latest.
 * @throws InputError naming the process that trains there.
 */
export function lockRun(folder: string): Promise<ProcessLock> {
  return ProcessLock.acquire(
    folder,
    (pid) =>
      new InputError(`process ${pid} trains in this folder`, {
        where: folder,
        remedy: "wait until it has ended, or choose another output folder",
      }),
  );
}
