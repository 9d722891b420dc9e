/** @file Pictures in the making: progress token by token, previews on demand, pictures at the end. */
import { AbortedError, InputError } from "../errors.ts";
import type { RgbImage } from "../image/pixels.ts";
import { tokenWidth } from "../model/config.ts";
import type { Grid } from "../sequence/segments.ts";
import { drawTokens, type TokenRequest } from "./draw-tokens.ts";
import { decodePicture, previewPicture } from "./image-coder.ts";
import type { ModelSessions } from "./model-sessions.ts";
import { finishPicture, type Picture } from "./picture.ts";
import type { Platform } from "./platform.ts";
import type { Recipe } from "./recipe.ts";

/** Image tokens of a batch, row-major. */
export interface TokenBatch {
  readonly data: Float32Array;
  /** [pictures, tokens, 64] */
  readonly shape: readonly number[];
}

/** What is to be drawn, all settled. */
export interface DrawingPlan {
  readonly request: TokenRequest;
  readonly grid: Grid;
  /** One a picture. */
  readonly recipes: readonly Recipe[];
  /** What finished pictures are saved with. */
  readonly platform: Pick<Platform, "zlib" | "writeFile">;
}

/** The state after a token. */
export interface DrawingProgress {
  /** Tokens of each picture that are drawn, from 1. */
  readonly token: number;
  /** Tokens of a picture. */
  readonly of: number;
  /** The pictures so far: finished rows of tokens decoded, grey below. */
  preview(): Promise<RgbImage[]>;
  /** A copy of all tokens drawn so far. Given to a new drawing as `tokens`, it goes on behind them. */
  tokens(): TokenBatch;
}

/**
 * Pictures being drawn. Iterate to follow the progress, or ask for the pictures; either starts the work. Leaving the
 * iteration early stops it.
 */
export class Drawing implements AsyncIterable<DrawingProgress> {
  readonly #sessions: ModelSessions;
  readonly #plan: () => Promise<DrawingPlan>;
  #started = false;
  #settle: (outcome: readonly Picture[] | Error) => void = () => {};
  readonly #outcome: Promise<readonly Picture[]>;

  constructor(sessions: ModelSessions, plan: () => Promise<DrawingPlan>) {
    this.#sessions = sessions;
    this.#plan = plan;
    this.#outcome = new Promise((resolve, reject) => {
      this.#settle = (outcome) => (outcome instanceof Error ? reject(outcome) : resolve(outcome));
    });
    // Who follows the iteration meets the error there; asking for the pictures as well is not required.
    this.#outcome.catch(() => {});
  }

  /** @throws InputError the second time: tokens are drawn once. */
  [Symbol.asyncIterator](): AsyncGenerator<DrawingProgress> {
    if (this.#started) throw new InputError("can be followed only once", { where: "drawing" });
    this.#started = true;
    return this.#run();
  }

  /**
   * The finished pictures: in the order of the prompts, those of one prompt side by side.
   * @throws AbortedError when the drawing was cancelled, or its iteration left early.
   */
  async pictures(): Promise<readonly Picture[]> {
    if (!this.#started) for await (const _ of this);
    return this.#outcome;
  }

  async *#run(): AsyncGenerator<DrawingProgress> {
    let outcome: readonly Picture[] | Error = new AbortedError("the drawing was left before its end");
    try {
      const plan = await this.#plan();
      const canvas = new Canvas(plan, tokenWidth(this.#sessions.folder.config));
      // The engine makes what was asked for first; the decoder's graph is built here while it makes the image head.
      const backbone = this.#sessions.backbone();
      backbone.then(() => this.#sessions.decoder()).catch(() => {});
      for await (const { index, token } of drawTokens(this.#sessions, plan.request)) {
        canvas.set(index, token);
        yield this.#progress(canvas, plan, index + 1);
      }
      outcome = await this.#decode(canvas, plan);
    } catch (error) {
      outcome = error instanceof Error ? error : new AbortedError(String(error));
      throw error;
    } finally {
      this.#settle(outcome);
    }
  }

  #progress(canvas: Canvas, plan: DrawingPlan, drawn: number): DrawingProgress {
    return {
      token: drawn,
      of: plan.request.count,
      tokens: () => canvas.soFar(drawn),
      preview: async () => {
        const pictures: RgbImage[] = [];
        for (let picture = 0; picture < plan.recipes.length; picture++) {
          const tokens = canvas.picture(picture, drawn);
          pictures.push(await previewPicture(this.#sessions, tokens, plan.grid));
        }
        return pictures;
      },
    };
  }

  /** One picture at a time: the decoder's activations are the larger part of the memory. */
  async #decode(canvas: Canvas, { recipes, grid, request, platform }: DrawingPlan): Promise<Picture[]> {
    const pictures: Picture[] = [];
    for (const [index, recipe] of recipes.entries()) {
      const tokens = canvas.picture(index, request.count);
      const decoded = await decodePicture(this.#sessions, tokens, grid);
      pictures.push(finishPicture({ recipe, grid, tokens, ...decoded }, platform));
    }
    return pictures;
  }
}

/** The tokens of a batch, [pictures, count, 64]. */
class Canvas {
  readonly #tokens: Float32Array;
  readonly #pictures: number;
  readonly #count: number;
  readonly #width: number;

  constructor({ recipes, request }: DrawingPlan, width: number) {
    this.#pictures = recipes.length;
    this.#count = request.count;
    this.#width = width;
    this.#tokens = new Float32Array(this.#pictures * this.#count * width);
    const known = (request.known?.length ?? 0) / this.#pictures;
    for (let picture = 0; picture < this.#pictures && known > 0; picture++) {
      const tokens = request.known?.subarray(picture * known, (picture + 1) * known) ?? [];
      this.#tokens.set(tokens, picture * this.#count * width);
    }
  }

  /** token [pictures, 64] */
  set(index: number, token: Float32Array): void {
    const width = this.#width;
    for (let picture = 0; picture < this.#pictures; picture++) {
      const own = token.subarray(picture * width, (picture + 1) * width);
      this.#tokens.set(own, (picture * this.#count + index) * width);
    }
  }

  /** The first tokens of one picture, [drawn, 64], a copy. */
  picture(picture: number, drawn: number): Float32Array {
    const start = picture * this.#count * this.#width;
    return this.#tokens.slice(start, start + drawn * this.#width);
  }

  soFar(drawn: number): TokenBatch {
    const data = new Float32Array(this.#pictures * drawn * this.#width);
    for (let picture = 0; picture < this.#pictures; picture++) {
      data.set(this.picture(picture, drawn), picture * drawn * this.#width);
    }
    return { data, shape: [this.#pictures, drawn, this.#width] };
  }
}
