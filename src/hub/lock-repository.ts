/** @file One process of this program at a time changes a repository of the cache. */
import { InputError } from "../errors.ts";
import { ProcessLock } from "../files/process-lock.ts";
import { repoFolders } from "./cache-layout.ts";

/**
 * Locks a repository of a cache; the lock ends with the process at the latest.
 * @throws InputError naming the process that holds it.
 */
export function lockRepository(cache: string, repository: string): Promise<ProcessLock> {
  return ProcessLock.acquire(
    repoFolders(cache, repository).locks,
    (pid) =>
      new InputError(`process ${pid} is at work on it`, {
        where: repository,
        remedy: "wait until it has ended",
      }),
  );
}
