/** @file A list that is read while it grows. */

/** Read by any number of readers, each from its beginning. */
export class Growing<Item> {
  readonly #items: Item[] = [];
  #ended = false;
  #waiting: (() => void)[] = [];

  push(item: Item): void {
    this.#items.push(item);
    this.#announce();
  }

  end(): void {
    this.#ended = true;
    this.#announce();
  }

  async *read(): AsyncGenerator<Item> {
    for (let index = 0; ; index++) {
      while (index >= this.#items.length && !this.#ended) {
        await new Promise<void>((resolve) => this.#waiting.push(resolve));
      }
      if (index >= this.#items.length) return;
      yield this.#items[index] as Item;
    }
  }

  #announce(): void {
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const resume of waiting) resume();
  }
}
