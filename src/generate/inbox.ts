/** @file Items on the way from one who does not wait to one who does. */

/** A queue with one reader. Items are dropped once they are read. */
export class Inbox<Item> {
  #items: Item[] = [];
  #ended: { readonly error: unknown } | undefined;
  #wake = (): void => {};

  put(item: Item): void {
    this.#items.push(item);
    this.#wake();
  }

  /** Nothing follows; an error is thrown to the reader behind the items that came before it. */
  end(error?: unknown): void {
    this.#ended ??= { error };
    this.#wake();
  }

  async *read(): AsyncGenerator<Item, void> {
    for (;;) {
      const items = this.#items;
      this.#items = [];
      yield* items;
      if (this.#items.length > 0) continue;
      if (this.#ended !== undefined) {
        if (this.#ended.error !== undefined) throw this.#ended.error;
        return;
      }
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
  }
}
