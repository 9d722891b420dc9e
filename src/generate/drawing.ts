/** @file Pictures in the making: progress token by token, previews on demand, pictures at the end. */
import { AbortedError, InputError } from "../errors.ts";
import type { RgbImage } from "../image/pixels.ts";
import { tokenWidth } from "../model/config.ts";
import type { Grid } from "../sequence/segments.ts";
import { drawTokens, type TokenRequest } from "./draw-tokens.ts";
import { decodePicture, previewPicture } from "./image-coder.ts";
import type { ModelSessions } from "./model-sessions.ts";
import { Picture } from "./picture.ts";
import type { Recipe } from "./recipe.ts";

/** Image tokens of a batch, row-major. */
export interface TokenBatch {
  readonly data: Float32Array;
  /** [pictures, tokens, 64] */
  readonly shape: readonly [number, number, number];
}

/** What is to be drawn, all settled. */
export interface DrawingPlan {
  readonly request: TokenRequest;
  readonly grid: Grid;
  /** One a picture. */
  readonly recipes: readonly Recipe[];
}

/** The state after a token. */
export interface DrawingProgress {
  /** Tokens of each picture that are drawn, from 1. */
  readonly token: number;
  /** Tokens of a picture. */
  readonly of: number;
  /** The pictures so far: finished rows of tokens decoded, grey below. */
  preview(): Promise<RgbImage[]>;
  /** A copy of all tokens drawn so far: given back as `tokens`, drawing goes on behind them. */
  tokens(): TokenBatch;
}

/**
 * Pictures being drawn. Iterate to follow the progress, or ask for the pictures at once; either starts the work, and
 * leaving the iteration early stops it.
 */
export class Drawing implements AsyncIterable<DrawingProgress> {
  readonly #sessions: ModelSessions;
  readonly #plan: () => Promise<DrawingPlan>;
  #started = false;
  readonly #finished: Promise<Picture[]>;
  #finish: (pictures: Picture[]) => void = () => {};
  #fail: (reason: unknown) => void = () => {};

  constructor(sessions: ModelSessions, plan: () => Promise<DrawingPlan>) {
    this.#sessions = sessions;
    this.#plan = plan;
    this.#finished = new Promise((resolve, reject) => {
      this.#finish = resolve;
      this.#fail = reject;
    });
    // Whoever only iterates meets the error there; the promise must not end the process as well.
    this.#finished.catch(() => {});
  }

  [Symbol.asyncIterator](): AsyncGenerator<DrawingProgress> {
    if (this.#started) throw new InputError("can be followed only once", { where: "drawing" });
    this.#started = true;
    return this.#run();
  }

  /**
   * The finished pictures, in the order of the prompts, several of one prompt side by side.
   * @throws AbortedError when the drawing was cancelled or its iteration left early.
   */
  async pictures(): Promise<Picture[]> {
    if (!this.#started) for await (const _ of this);
    return this.#finished;
  }

  async *#run(): AsyncGenerator<DrawingProgress> {
    try {
      const { request, grid, recipes } = await this.#plan();
      const width = tokenWidth(this.#sessions.folder.config);
      const drawn = recipes.map(() => new Float32Array(request.count * width));
      const known = knownLength(request, recipes.length, width);
      drawn.forEach((tokens, picture) => {
        tokens.set(request.known?.subarray(picture * known * width, (picture + 1) * known * width) ?? []);
      });
      // Made while the tokens are drawn; whoever needs it waits for it.
      this.#sessions.decoder().catch(() => {});
      for await (const { index, token } of drawTokens(this.#sessions, request)) {
        drawn.forEach((tokens, picture) => {
          tokens.set(token.subarray(picture * width, (picture + 1) * width), index * width);
        });
        yield this.#progress(drawn, index + 1, request.count, grid);
      }
      const pictures: Picture[] = [];
      for (const [picture, tokens] of drawn.entries()) {
        const decoded = await decodePicture(this.#sessions, tokens, grid);
        pictures.push(new Picture({ ...decoded, recipe: recipes[picture] as Recipe, grid, tokens }));
      }
      this.#finish(pictures);
    } catch (error) {
      this.#fail(error);
      throw error;
    } finally {
      // Settled already, unless the iteration was left early.
      this.#fail(new AbortedError("the drawing was left before it was finished", { where: "drawing" }));
    }
  }

  #progress(drawn: readonly Float32Array[], count: number, of: number, grid: Grid): DrawingProgress {
    const width = tokenWidth(this.#sessions.folder.config);
    return {
      token: count,
      of,
      preview: async () => {
        const pictures: RgbImage[] = [];
        for (const tokens of drawn) {
          pictures.push(await previewPicture(this.#sessions, tokens.slice(0, count * width), grid));
        }
        return pictures;
      },
      tokens: () => {
        const data = new Float32Array(drawn.length * count * width);
        drawn.forEach((tokens, picture) => {
          data.set(tokens.subarray(0, count * width), picture * count * width);
        });
        return { data, shape: [drawn.length, count, width] };
      },
    };
  }
}

/** Tokens of each picture that were drawn earlier. */
function knownLength({ known }: TokenRequest, pictures: number, width: number): number {
  return known === undefined ? 0 : known.length / (pictures * width);
}
