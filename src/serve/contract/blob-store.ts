/** @file Where files of pictures lie: by content, so that the same bytes are there once and a name never changes meaning. */

export interface BlobStore extends AsyncDisposable {
  /** Stores bytes whole or not at all; answers their name (SHA-256). The same bytes again cost nothing. */
  put(bytes: Uint8Array): Promise<string>;
  /** Undefined for what is not there. @throws DataFormatError where the bytes are not what the name says. */
  get(name: string): Promise<Uint8Array | undefined>;
  /** Harmless for what is not there. */
  remove(name: string): Promise<void>;
  /** Names that are there, with their ages, for sweeping what nothing names. */
  list(): AsyncGenerator<{ readonly name: string; readonly bytes: number; readonly modified: number }>;
  /** Unfinished drawings by job, which are replaced as they grow: whole or as they were. */
  readonly drafts: DraftStore;
}

export interface DraftStore {
  put(job: string, bytes: Uint8Array): Promise<void>;
  get(job: string): Promise<Uint8Array | undefined>;
  remove(job: string): Promise<void>;
}
