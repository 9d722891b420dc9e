/** @file What the server's native routes answer with, as far as the page reads it (docs/serve.md). */

/** `width x height` in pixels, as OpenAI writes sizes. */
export type SizeText = `${number}x${number}`;

export type JobStatus = "queued" | "drawing" | "finished" | "failed" | "cancelled";

export interface JobProgress {
  /** Tokens that every picture of the job has, of how many. */
  readonly token: number;
  readonly of: number;
  /** Rows of tokens that are whole, of how many. */
  readonly rows: number;
  readonly of_rows: number;
  readonly seconds_left: number | null;
}

/** Looks at the unfinished pictures; below `rows` they are neutral. */
export interface JobPreview {
  readonly number: number;
  readonly rows: number;
  readonly urls: readonly string[];
}

/** Remarks on a request: what the model was not trained for. */
export interface Note {
  readonly kind: string;
  readonly text: string;
  readonly words?: readonly string[];
  readonly closest?: readonly string[];
}

/** An adapter that draws along. */
export interface AdapterChoice {
  readonly name: string;
  readonly scale: number;
}

export type Settings = Readonly<Record<string, string | number | boolean | null>>;

/** A picture of the gallery. */
export interface Entry {
  readonly id: string;
  readonly job: string;
  /** Unix seconds. */
  readonly created: number;
  readonly width: number;
  readonly height: number;
  /** What the model drew, where that was resampled to the size asked for. */
  readonly native_size: SizeText;
  readonly prompt: string;
  readonly seed: number;
  readonly settings: Settings;
  readonly notes: readonly Note[];
  readonly task: string;
  readonly url: string;
  readonly thumbnail_url: string;
  readonly bytes: number;
  readonly recipe: Recipe;
}

/** The part of a recipe that the page takes up. */
export interface Recipe {
  readonly prompt: string;
  readonly seed: number;
  readonly width: number;
  readonly height: number;
  readonly settings: Settings;
  readonly model?: string;
  readonly adapters?: readonly AdapterChoice[];
  /** Input pictures. */
  readonly images?: readonly unknown[];
  /** Cells that were given and not drawn, as ranges from the first to behind the last. */
  readonly kept?: { readonly cells: readonly (readonly [from: number, to: number])[] };
}

export interface Job {
  readonly id: string;
  readonly status: JobStatus;
  readonly created: number;
  readonly started: number | null;
  readonly completed: number | null;
  /** Jobs in front of it, 0 for the next; null unless it is queued. */
  readonly queue_position: number | null;
  readonly progress: JobProgress | null;
  readonly preview: JobPreview | null;
  readonly pictures: readonly Entry[];
  readonly error: { readonly message: string; readonly code: string | null } | null;
  readonly request: {
    readonly prompt: string;
    readonly n: number;
    readonly seed: number;
    readonly size: SizeText;
    readonly native_size: SizeText;
    /** Input pictures, by the names of their bytes. */
    readonly images: readonly string[];
  };
}

export interface Upload {
  readonly blob: string;
  readonly width: number;
  readonly height: number;
  readonly recipe: Recipe | null;
  /** The picture of the gallery that this file is. */
  readonly recipe_picture?: string | null;
}

export interface Capabilities {
  readonly model: string;
  /** The model's own square. */
  readonly size: SizeText;
  readonly sizes: readonly SizeText[];
  readonly subjects: readonly string[];
  /** Words of the captions that it was trained on; empty where that is not known. */
  readonly words: readonly string[];
  readonly tokenSide: number;
  readonly samplers: readonly string[];
  /** Names of those that requests may choose. */
  readonly adapters: readonly string[];
  readonly defaults: Settings;
  readonly canEdit: boolean;
  readonly maxCount: number;
  readonly maxPixels: number;
  /** Tokens of a picture that are drawn at most; larger ones are stretched from fewer. */
  readonly maxTokens: number;
  readonly version: string;
}
