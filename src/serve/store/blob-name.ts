/** @file Names of what a store holds, checked before they become paths or keys. */
import { createHash } from "node:crypto";
import { InputError } from "../../errors.ts";
import { isSha256 } from "../../formats/json-value.ts";
import { quoted } from "../../formats/quoted.ts";

/** Identifiers of jobs, as the queue gives them (UUIDs), and nothing that means something to a file system. */
const JOB_NAME = /^[0-9a-z][0-9a-z-]{0,63}$/;

export function blobNameOf(bytes: Uint8Array): string {
  return createHash("sha256").update(bytes).digest("hex");
}

export function isJobName(name: string): boolean {
  return JOB_NAME.test(name);
}

/** @throws InputError for what is no name of a blob. */
export function checkBlobName(name: string): void {
  if (!isSha256(name)) throw new InputError(`${quoted(name)} is not the name of a stored file`);
}

/** @throws InputError for what is no name of a job. */
export function checkJobName(name: string): void {
  if (!isJobName(name)) throw new InputError(`${quoted(name)} is not the name of a job`);
}

/** Two levels of 256 folders keep each short, whatever the store grows to. */
export function fannedOut(name: string): readonly [string, string] {
  return [name.slice(0, 2), name.slice(2, 4)];
}
