/** @file The gallery as far as it was read: newest first, page by page as somebody scrolls. */
import type { Entry } from "../api/answers.ts";
import type { Client } from "../api/client.ts";

const PAGE = 100;

export class Shelf {
  entries = $state.raw<readonly Entry[]>([]);
  hasMore = $state(false);
  /** Whether it was read at all yet. */
  isRead = $state(false);
  private reading: Promise<void> | undefined;

  constructor(private readonly client: Client) {}

  /** What has come since, by anybody; with nothing in common with what is known it begins anew. */
  async refresh(): Promise<void> {
    const { data, has_more } = await this.client.gallery(PAGE);
    const known = new Set(this.entries.map(({ id }) => id));
    const joins = data.some(({ id }) => known.has(id));
    if (joins) {
      this.add(data.filter(({ id }) => !known.has(id)));
    } else {
      this.entries = data;
      this.hasMore = has_more;
    }
    this.isRead = true;
  }

  /** The next page, if there is one and none is on its way. */
  more(): Promise<void> {
    if (!this.hasMore) return Promise.resolve();
    this.reading ??= this.readMore().finally(() => {
      this.reading = undefined;
    });
    return this.reading;
  }

  private async readMore(): Promise<void> {
    const { data, has_more } = await this.client.gallery(PAGE, this.entries.at(-1)?.id);
    const known = new Set(this.entries.map(({ id }) => id));
    this.entries = [...this.entries, ...data.filter(({ id }) => !known.has(id))];
    this.hasMore = has_more && data.length > 0;
  }

  /** Pictures that were just drawn. */
  add(pictures: readonly Entry[]): void {
    const known = new Set(this.entries.map(({ id }) => id));
    const fresh = pictures.filter(({ id }) => !known.has(id));
    if (fresh.length === 0) return;
    this.entries = [...fresh, ...this.entries].sort((a, b) => b.created - a.created);
  }

  drop(id: string): void {
    this.entries = this.entries.filter((entry) => entry.id !== id);
  }

  async remove(id: string): Promise<void> {
    await this.client.removePicture(id);
    this.drop(id);
  }

  /** The neighbour of a picture: 1 for the next older one. */
  neighbour(id: string, by: -1 | 1): Entry | undefined {
    const at = this.entries.findIndex((entry) => entry.id === id);
    return at < 0 ? undefined : this.entries[at + by];
  }
}
