/** @file What the cases of a folder share: models, tokenizers and an engine, each opened once. */
import { join } from "node:path";
import { type ModelFolder, openModelFolder } from "../../../src/checkpoint/model-folder.ts";
import type { TensorSet } from "../../../src/checkpoint/tensor-set.ts";
import { DataFormatError } from "../../../src/errors.ts";
import { LocalFolder } from "../../../src/files/local-folder.ts";
import { ModelSessions } from "../../../src/generate/model-sessions.ts";
import { writeOnnx } from "../../../src/graph/onnx-writer.ts";
import type { Value } from "../../../src/graph/value.ts";
import type { Engine, Feeds, HostTensor } from "../../../src/runtime/engine.ts";
import { LocalEngine } from "../../../src/runtime/local-engine.ts";
import { createTokenizer, type TextTokenizer } from "../../../src/sequence/tokenizer.ts";
import { readTokenizerFiles } from "../../../src/sequence/tokenizer-files.ts";

export class ParityContext implements AsyncDisposable {
  readonly engine: Engine = new LocalEngine();
  /** Holds cases/ and models/. */
  readonly folder: string;
  readonly #open = new Map<string, Promise<ModelFolder>>();
  readonly #sessions = new Map<ModelFolder, ModelSessions>();
  readonly #tokenizers = new Map<string, Promise<TextTokenizer>>();

  constructor(folder: string) {
    this.folder = folder;
  }

  /** Path of a model. @throws DataFormatError for a name that leads elsewhere. */
  modelPath(name: string): string {
    if (!/^[\w.-]+$/.test(name) || /^\.+$/.test(name)) {
      throw new DataFormatError(`${JSON.stringify(name)} is not the name of a model`, { where: "model" });
    }
    return join(this.folder, "models", name);
  }

  /** The model that a case names. */
  async model(name: string | undefined): Promise<ModelFolder> {
    if (name === undefined) throw new DataFormatError("names no model", { where: "model" });
    const known = this.#open.get(name) ?? openModelFolder(new LocalFolder(this.modelPath(name)));
    this.#open.set(name, known);
    return known;
  }

  /** The generation sessions of the model that a case names. */
  async sessions(name: string | undefined): Promise<ModelSessions> {
    const folder = await this.model(name);
    const sessions = this.#sessions.get(folder) ?? new ModelSessions(this.engine, folder);
    this.#sessions.set(folder, sessions);
    return sessions;
  }

  /** A model's tokenizer, with another bos_token if one is given. */
  async tokenizer(name: string | undefined, bosToken?: string | null): Promise<TextTokenizer> {
    if (name === undefined) throw new DataFormatError("names no model", { where: "model" });
    const key = JSON.stringify([name, bosToken]);
    const known = this.#tokenizers.get(key) ?? readTokenizer(this.modelPath(name), bosToken);
    this.#tokenizers.set(key, known);
    return known;
  }

  /** Runs a graph once. */
  async compute(
    outputs: Readonly<Record<string, Value>>,
    tensors: TensorSet,
    feeds: Feeds,
  ): Promise<Record<string, HostTensor>> {
    const session = await this.engine.createSession(
      writeOnnx(outputs, { parameters: "initializers" }),
      tensors.weightSource,
    );
    try {
      return await session.run(feeds);
    } finally {
      await session.dispose();
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const model of this.#open.values())
      await (await model.catch(() => undefined))?.[Symbol.asyncDispose]();
    await this.engine[Symbol.asyncDispose]();
  }
}

async function readTokenizer(path: string, bosToken: string | null | undefined): Promise<TextTokenizer> {
  const files = await readTokenizerFiles(new LocalFolder(path));
  const names = bosToken === undefined ? files.names : { ...files.names, bosToken };
  return createTokenizer({ ...files, names });
}
