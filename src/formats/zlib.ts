/** @file Compression in zlib's format, as the platform provides it. */

export interface Zlib {
  /** Rejects for bytes that are damaged, or that stand for more than `maxBytes`. */
  inflate(bytes: Uint8Array, maxBytes: number): Promise<Uint8Array>;
  deflate(bytes: Uint8Array): Promise<Uint8Array>;
}
