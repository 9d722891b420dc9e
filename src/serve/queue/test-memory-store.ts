/** @file A store for tests, in which files can be as old as a test wants them. */
import { createHash } from "node:crypto";
import type { BlobStore, DraftStore, StoredBlob } from "../contract/blob-store.ts";

interface Kept {
  readonly bytes: Uint8Array;
  modified: number;
}

export class MemoryStore implements BlobStore {
  readonly files = new Map<string, Kept>();
  readonly draftFiles = new Map<string, Kept>();
  readonly drafts: DraftStore = {
    put: async (job, bytes) => void this.draftFiles.set(job, { bytes, modified: now() }),
    get: async (job) => this.draftFiles.get(job)?.bytes,
    remove: async (job) => void this.draftFiles.delete(job),
    list: () => this.#listDrafts(),
  };

  async put(bytes: Uint8Array): Promise<string> {
    const name = createHash("sha256").update(bytes).digest("hex");
    this.files.set(name, { bytes, modified: now() });
    return name;
  }

  async get(name: string): Promise<Uint8Array | undefined> {
    return this.files.get(name)?.bytes;
  }

  async remove(name: string, before = Number.POSITIVE_INFINITY): Promise<void> {
    const file = this.files.get(name);
    if (file !== undefined && file.modified < before) this.files.delete(name);
  }

  async *list(): AsyncGenerator<StoredBlob> {
    for (const [name, { bytes, modified }] of this.files) yield { name, bytes: bytes.length, modified };
  }

  /** Makes everything that is stored look as if it had been stored so long ago. */
  age(seconds: number): void {
    for (const file of this.files.values()) file.modified -= seconds;
  }

  async [Symbol.asyncDispose](): Promise<void> {}

  async *#listDrafts(): AsyncGenerator<{ readonly job: string; readonly modified: number }> {
    for (const [job, { modified }] of this.draftFiles) yield { job, modified };
  }
}

function now(): number {
  return Date.now() / 1000;
}
