/** @file The models that a server opens, one after another. */
import type { Model } from "../generate/model.ts";
import type { WorkWatch } from "../generate/model-work.ts";
import { openNamedModel } from "./model-options.ts";
import type { ServeCommandOptions } from "./serve-options.ts";
import type { Terminal } from "./terminal.ts";

/** The model that was opened for what the doors need to know of it, and others once its engine has broken. */
export class OpenedModels implements AsyncDisposable {
  /** Told what each of them does. */
  onWork: WorkWatch = () => {};
  readonly #options: ServeCommandOptions;
  readonly #terminal: Terminal;
  #first: Promise<Model> | undefined;
  #latest: Model | undefined;

  constructor(options: ServeCommandOptions, terminal: Terminal) {
    this.#options = options;
    this.#terminal = terminal;
  }

  /** The one that was opened last. */
  get latest(): Model | undefined {
    return this.#latest;
  }

  first(): Promise<Model> {
    this.#first ??= this.#open();
    return this.#first;
  }

  async next(): Promise<Model> {
    const first = this.#first;
    this.#first = undefined;
    return first ?? this.#open();
  }

  /** Closes the first where nobody took it over. */
  async [Symbol.asyncDispose](): Promise<void> {
    const model = await this.#first?.catch(() => undefined);
    await model?.close();
  }

  /** Pictures that are drawn together, and prompts that are kept, take what the machine has beside the weights. */
  async #open(): Promise<Model> {
    const { maxBatch, adapter = [] } = this.#options;
    const model = await openNamedModel(this.#options, this.#terminal, {
      maxPictures: maxBatch,
      ...(adapter.length === 0
        ? {}
        : { adapters: Object.fromEntries(adapter.map(({ name, path }) => [name, path])) }),
      cacheBytes: "by memory",
      promptBytes: "by memory",
      onWork: (work) => this.onWork(work),
    });
    this.#latest = model;
    return model;
  }
}
