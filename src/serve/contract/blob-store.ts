/** @file Where files of pictures lie: by content, so that the same bytes are there once and a name never changes meaning. */

/**
 * Whatever cannot be read or written is a StorageError.
 */
export interface BlobStore extends AsyncDisposable {
  /** Stores bytes whole or not at all; answers their name (SHA-256). The same bytes again only become young again. */
  put(bytes: Uint8Array): Promise<string>;
  /** Undefined for what is not there. @throws DataFormatError where the bytes are not what the name says. */
  get(name: string): Promise<Uint8Array | undefined>;
  /**
   * Harmless for what is not there.
   * @param before Unix seconds: what was stored, or stored again, since then stays.
   */
  remove(name: string, before?: number): Promise<void>;
  /** What is there, for sweeping what nothing names. */
  list(): AsyncGenerator<StoredBlob>;
  /** Unfinished drawings by job, which are replaced as they grow: whole or as they were. */
  readonly drafts: DraftStore;
}

export interface StoredBlob {
  readonly name: string;
  readonly bytes: number;
  /** Unix seconds at which it was last stored. */
  readonly modified: number;
}

/** A killed process loses nothing that was put here; a power cut may lose the newest seconds. */
export interface DraftStore {
  put(job: string, bytes: Uint8Array): Promise<void>;
  get(job: string): Promise<Uint8Array | undefined>;
  remove(job: string): Promise<void>;
  /** Jobs that have a draft. */
  list(): AsyncGenerator<{ readonly job: string; readonly modified: number }>;
}
