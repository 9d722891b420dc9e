/** @file A least-recently-used cache whose size is bounded in bytes. */

import { ConfigError } from "../../errors.ts";

/** Keeps the values used last, as many as fit into `maxBytes`; a larger value is not kept at all. */
export class ByteBoundedCache<Key, Value> {
  readonly maxBytes: number;
  /** A Map iterates in the order of insertion, so the first entry is the one used longest ago. */
  readonly #entries = new Map<Key, { readonly value: Value; readonly bytes: number }>();
  #bytes = 0;

  /** @throws ConfigError unless `maxBytes` is a number of at least 0. */
  constructor(maxBytes: number) {
    if (!(maxBytes >= 0)) throw new ConfigError(`a cache of ${maxBytes} bytes`, { where: "cache size" });
    this.maxBytes = maxBytes;
  }

  get byteLength(): number {
    return this.#bytes;
  }

  get(key: Key): Value | undefined {
    const entry = this.#entries.get(key);
    if (entry === undefined) return undefined;
    this.#entries.delete(key);
    this.#entries.set(key, entry);
    return entry.value;
  }

  set(key: Key, value: Value, bytes: number): void {
    this.#drop(key);
    if (bytes > this.maxBytes) return;
    this.#entries.set(key, { value, bytes });
    this.#bytes += bytes;
    for (const oldest of this.#entries.keys()) {
      if (this.#bytes <= this.maxBytes) return;
      this.#drop(oldest);
    }
  }

  #drop(key: Key): void {
    const entry = this.#entries.get(key);
    if (entry === undefined) return;
    this.#entries.delete(key);
    this.#bytes -= entry.bytes;
  }
}
