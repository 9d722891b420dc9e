/** @file Pictures that were drawn, as the store's index lists them. */
import type { DrawingNote } from "../../generate/drawing-notes.ts";
import type { Recipe } from "../../generate/recipe.ts";
import type { DrawRequest } from "./draw-request.ts";

export interface NewPicture {
  /** Place in its job, from 0. */
  readonly index: number;
  /** The file as it is answered, in the format asked for. */
  readonly blob: string;
  /** Its tokens, float32 little-endian [rows * columns, 64], to rewind to. */
  readonly tokens: string;
  /** Small WebP for lists. */
  readonly thumbnail: string;
  readonly bytes: number;
  readonly width: number;
  readonly height: number;
  readonly recipe: Recipe;
  readonly notes: readonly DrawingNote[];
}

export interface GalleryEntry extends NewPicture {
  readonly id: string;
  readonly job: string;
  readonly owner: string | null;
  /** Unix seconds, fractions included. */
  readonly created: number;
  readonly request: DrawRequest;
}

export interface GalleryFilter {
  /** Newest first, older than this entry. */
  readonly before?: string;
  /** 1 to 200. */
  readonly limit: number;
  readonly owner?: string;
}

/** What is kept. Both bounds may be absent: everything is kept. */
export interface Retention {
  readonly seconds?: number;
  /** Of the files of all pictures. */
  readonly bytes?: number;
}

export interface Gallery {
  get(id: string): Promise<GalleryEntry | undefined>;
  /** The newest entry whose file has this name in the store; with `owner`, of those of that owner. */
  find(blob: string, owner?: string | null): Promise<GalleryEntry | undefined>;
  list(filter: GalleryFilter): Promise<readonly GalleryEntry[]>;
  count(): Promise<number>;
  /** Removes an entry, and its blobs where nothing else names them. */
  remove(id: string): Promise<boolean>;
  /** Removes the oldest until the bounds hold; answers how many went. */
  sweep(retention: Retention): Promise<number>;
}
