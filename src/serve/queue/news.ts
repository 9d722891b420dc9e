/** @file Word of changes, within the process. */

/**
 * What has changed.
 * - `progress`: how far a job is.
 * - `queue`: a job entered, left or moved in the queue, so that others may stand elsewhere.
 * - `missed`: anything, perhaps.
 */
export type NewsItem =
  | { readonly kind: "progress" | "queue"; readonly job: string }
  | { readonly kind: "missed" };

export class News {
  readonly #listeners = new Set<(item: NewsItem) => void>();

  /** @returns what ends it. */
  listen(listener: (item: NewsItem) => void): () => void {
    this.#listeners.add(listener);
    return () => void this.#listeners.delete(listener);
  }

  tell(item: NewsItem): void {
    for (const listener of this.#listeners) listener(item);
  }
}
