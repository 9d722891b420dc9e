/** @file A text in the making: its pieces as they come, the whole of it, and why it ended. */
import { AbortedError } from "../errors.ts";

/** `stop`: the model ended the text; `length`: it reached the limit and would have gone on. */
export type FinishReason = "stop" | "length";

/**
 * Iterate for the pieces, which can be printed as they come, or ask for the whole; either starts the work. Leaving an
 * iteration early stops it.
 */
export interface WrittenText extends AsyncIterable<string> {
  /**
   * The whole text.
   * @throws AbortedError when it was cancelled, or an iteration left early.
   */
  text(): Promise<string>;
  /** Why it ended. @throws as {@link text} does. */
  finishReason(): Promise<FinishReason>;
}

/** Pieces and, as its return value, the reason; undefined when it is ended from outside. */
export type TextSource = AsyncGenerator<string, FinishReason | undefined>;

/** The text that a source gives. Nothing of the source runs before somebody asks. */
export class GrowingText implements WrittenText {
  readonly #source: TextSource;
  readonly #pieces: string[] = [];
  #reason: FinishReason | undefined;
  #failure: Error | undefined;
  /** The step under way, shared by all who wait for it. */
  #step: Promise<void> | undefined;

  constructor(source: TextSource) {
    this.#source = source;
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<string> {
    try {
      for (let next = 0; ; next++) {
        while (next >= this.#pieces.length && this.#reason === undefined) await this.#advance();
        const piece = this.#pieces[next];
        if (piece === undefined) return;
        yield piece;
      }
    } finally {
      if (this.#reason === undefined) await this.#source.return(undefined);
    }
  }

  async text(): Promise<string> {
    await this.finishReason();
    return this.#pieces.join("");
  }

  async finishReason(): Promise<FinishReason> {
    while (this.#reason === undefined) await this.#advance();
    return this.#reason;
  }

  #advance(): Promise<void> {
    this.#step ??= this.#take().finally(() => {
      this.#step = undefined;
    });
    return this.#step;
  }

  async #take(): Promise<void> {
    if (this.#failure !== undefined) throw this.#failure;
    try {
      const { done, value } = await this.#source.next();
      if (done !== true) this.#pieces.push(value);
      else if (value !== undefined) this.#reason = value;
      else throw new AbortedError("the text was left before its end");
    } catch (error) {
      this.#failure = error instanceof Error ? error : new AbortedError(String(error));
      throw this.#failure;
    }
  }
}
