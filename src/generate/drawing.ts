/** @file What a drawing is to whoever asked for it, and what is settled before its first token. */
import type { RgbImage } from "../image/pixels.ts";
import type { Grid } from "../sequence/segments.ts";
import type { DrawingJob, JobGround, JobTokens } from "./drawing-job.ts";
import type { DrawingNote } from "./drawing-notes.ts";
import type { Picture } from "./picture.ts";
import type { Platform } from "./platform.ts";
import type { Recipe } from "./recipe.ts";
import type { Slot } from "./slot.ts";
import type { TokenBatch } from "./token-batch.ts";
import type { ThoughtPiece } from "./write-thought.ts";

/** What is to be drawn, all settled. */
export interface DrawingPlan {
  /** One a picture, all of one grid. */
  readonly slots: readonly Slot[];
  readonly grid: Grid;
  /** What a job of it holds besides pictures. */
  readonly ground: JobGround;
  /** One a picture. */
  readonly recipes: readonly Recipe[];
  /** Of each picture. */
  readonly notes: readonly (readonly DrawingNote[])[];
  /** What finished pictures are saved with. */
  readonly platform: Pick<Platform, "zlib" | "writeFile">;
  readonly signal: AbortSignal | undefined;
}

/** Text of a thought as it comes. */
export interface ThoughtProgress extends ThoughtPiece {
  /** Place among {@link Drawing.pictures} of the picture that is thought about; the first of them where several share it. */
  readonly picture: number;
}

/** What goes on around the making of a plan. */
export interface PlanWatch {
  /** Ends it: the caller's, the drawing's, the model's. */
  readonly signal: AbortSignal;
  readonly onThought: (progress: ThoughtProgress) => void;
}

/** The state after a token. */
export interface DrawingProgress {
  /** Tokens that every picture has, from 1. */
  readonly token: number;
  /** Tokens of a picture. */
  readonly of: number;
  /** Rows of tokens that every picture has whole. */
  readonly rows: number;
  /** The pictures so far: finished rows of tokens decoded, grey below. Decoded in turn with pictures that are finished. */
  preview(): Promise<RgbImage[]>;
  /**
   * A copy of the tokens that every picture has, in raster order up to the first that one has not. Given to a new drawing
   * as `keep`, it goes on behind them.
   */
  tokens(): TokenBatch;
  /** A copy of all that it takes to go on from here: see {@link Drawing.job}. */
  job(): DrawingJob;
  /** What a journal of the job lacks that holds `written` tokens of each picture. */
  tokensBehind(written: readonly number[]): JobTokens;
}

/** A picture as it is finished, while others may still be drawn. */
export interface FinishedPicture {
  /** Place among {@link Drawing.pictures}. */
  readonly index: number;
  readonly picture: Picture;
}

/** What a drawing makes the model read and draw, in tokens. */
export interface DrawingCounts {
  /** Of the prompts with all that stands around them, thoughts included; a prompt of several pictures counts once. */
  readonly text: number;
  /** Of the prompts' input images; an image of several prompts counts in each. */
  readonly inputImages: number;
  /** Of all pictures, drawn or kept. */
  readonly output: number;
}

/** How much of pictures too large to be decoded at once is decoded. */
export interface DecodingProgress {
  /** Pictures, with the part of the one that is being decoded. */
  readonly done: number;
  /** All pictures of the drawing. */
  readonly of: number;
}

/**
 * Pictures being drawn. Iterate to follow the progress, or ask for the pictures; either starts the work, which then goes
 * on by itself. Leaving the iteration early stops it.
 */
export interface Drawing extends AsyncIterable<DrawingProgress> {
  /** @throws InputError the second time. */
  [Symbol.asyncIterator](): AsyncGenerator<DrawingProgress>;
  /**
   * The finished pictures: in the order of the prompts, those of one prompt side by side.
   * @throws AbortedError when the drawing was cancelled, or its iteration left early; EngineError naming picture and token
   * where a number is not finite.
   */
  pictures(): Promise<readonly Picture[]>;
  /** Follows the decoding of pictures that is done in parts; gives nothing for smaller ones. Starts the work, never throws. */
  decoding(): AsyncGenerator<DecodingProgress>;
  /** Each picture when it is decoded. Throws as {@link pictures} does. */
  finished(): AsyncGenerator<FinishedPicture>;
  /**
   * What the model thinks before it draws, one thought after the other; ends before the first token is drawn. Starts the
   * work. Throws as {@link pictures} does.
   */
  thoughts(): AsyncGenerator<ThoughtProgress>;
  /**
   * What should be known of each picture ({@link Picture.notes}), before the first token is drawn. Starts the work. Throws
   * as {@link pictures} does.
   */
  notes(): Promise<readonly (readonly DrawingNote[])[]>;
  /** What it takes, known before the first token is drawn. Starts the work. Throws as {@link pictures} does. */
  counts(): Promise<DrawingCounts>;
  /**
   * A copy of how far it has come: plain data, from which `model.resume` goes on to the same bits. Starts the work; also
   * there when the drawing was cancelled or failed. Throws only where the drawing could not be planned.
   */
  job(): Promise<DrawingJob>;
}
