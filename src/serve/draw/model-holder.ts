/** @file The open model of a worker, opened anew when its engine has broken. */
import type { Model } from "../../generate/model.ts";

interface Held {
  readonly opening: Promise<Model>;
  /** When it is open. */
  model?: Model;
}

export class ModelHolder implements AsyncDisposable {
  readonly #open: () => Promise<Model>;
  #current: Held | undefined;
  #closed = false;

  constructor(open: () => Promise<Model>) {
    this.#open = open;
  }

  /** The model, opened when it is first asked for. Throws what opening does; the next to ask tries again. */
  model(): Promise<Model> {
    this.#current ??= this.#hold(Promise.resolve());
    return this.#current.opening;
  }

  /**
   * Whether a model is not to be used any more: because its engine has broken, for which it is replaced, once for all who find
   * it so, or because another has found that.
   */
  async replaceBroken(model: Model): Promise<boolean> {
    const answers = this.#current?.model === model && (await model.answers());
    if (answers || this.#closed) return false;
    // Nothing is awaited in between: whoever finds it so second finds another one here.
    if (this.#current?.model === model) this.#current = this.#hold(model.close().catch(() => {}));
    return true;
  }

  /** Weights of two models may be more than there is memory: the old one goes first. */
  #hold(behind: Promise<void>): Held {
    const held: Held = { opening: behind.then(() => this.#open()) };
    held.opening.then(
      (model) => {
        held.model = model;
      },
      () => {
        if (this.#current === held) this.#current = undefined;
      },
    );
    return held;
  }

  /** Closes it. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#closed = true;
    const model = await this.#current?.opening.catch(() => undefined);
    await model?.close();
  }
}
