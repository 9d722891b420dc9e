/** @file The engine sessions of an open model, each made when it is first needed and shared by all that runs on it. */
import type { AutoencoderFolder } from "../checkpoint/autoencoder-folder.ts";
import type { ModelFolder } from "../checkpoint/model-folder.ts";
import { ModelFormatError } from "../errors.ts";
import type { Engine, Session } from "../runtime/engine.ts";
import { decoderGraph, encoderGraph } from "./autoencoder-graphs.ts";
import { backboneGraph } from "./backbone-graph.ts";
import { imageHeadGraph, lmHeadGraph } from "./head-graphs.ts";

/** Image heads kept although nobody uses them: each step count has its own, with its own copy of the weights. */
const IDLE_HEADS = 1;

interface HeadEntry {
  readonly session: Promise<Session>;
  users: number;
}

/** An image head in use. Give it back, so that heads of other step counts can make room. */
export interface HeadLease extends AsyncDisposable {
  readonly session: Promise<Session>;
}

export class ModelSessions {
  readonly engine: Engine;
  readonly folder: ModelFolder;
  readonly #sessions = new Map<string, Promise<Session>>();
  /** By number of steps, least recently used first. */
  readonly #heads = new Map<number, HeadEntry>();

  constructor(engine: Engine, folder: ModelFolder) {
    this.engine = engine;
    this.folder = folder;
  }

  backbone(): Promise<Session> {
    const { config, tensors } = this.folder;
    return this.#once("backbone", () =>
      this.engine.createSession(backboneGraph(config, tensors.weightPlan), tensors.weightSource),
    );
  }

  lmHead(): Promise<Session> {
    const { config, tensors } = this.folder;
    return this.#once("lm head", () =>
      this.engine.createSession(lmHeadGraph(config, tensors.weightPlan), tensors.weightSource),
    );
  }

  encoder(): Promise<Session> {
    const { config, tensors } = this.autoencoder;
    return this.#once("encoder", () =>
      this.engine.createSession(encoderGraph(config, tensors.weightPlan), tensors.weightSource),
    );
  }

  decoder(): Promise<Session> {
    const { config, tensors } = this.autoencoder;
    return this.#once("decoder", () =>
      this.engine.createSession(decoderGraph(config, tensors.weightPlan), tensors.weightSource),
    );
  }

  /** @throws ModelFormatError when the model folder has none. */
  get autoencoder(): AutoencoderFolder {
    const { autoencoder, path } = this.folder;
    if (autoencoder !== undefined) return autoencoder;
    throw new ModelFormatError("has no autoencoder, without which there are no pictures", {
      where: path,
      remedy: "put the image tokenizer's files into its folder vae/",
    });
  }

  /** The image head unrolled over `steps`. */
  imageHead(steps: number): HeadLease {
    const { config, tensors } = this.folder;
    const entry = this.#heads.get(steps) ?? {
      session: this.engine.createSession(
        imageHeadGraph(config, steps, tensors.weightPlan),
        tensors.weightSource,
      ),
      users: 0,
    };
    entry.users++;
    this.#heads.delete(steps);
    this.#heads.set(steps, entry);
    entry.session.catch(() => this.#heads.delete(steps));
    return {
      session: entry.session,
      [Symbol.asyncDispose]: async () => {
        entry.users--;
        await this.#dropIdleHeads();
      },
    };
  }

  async #dropIdleHeads(): Promise<void> {
    const idle = [...this.#heads].filter(([, { users }]) => users === 0);
    for (const [steps, { session }] of idle.slice(0, Math.max(0, idle.length - IDLE_HEADS))) {
      this.#heads.delete(steps);
      await (await session).dispose();
    }
  }

  /** A failure is not kept: the next to ask tries again. */
  #once(name: string, create: () => Promise<Session>): Promise<Session> {
    const known = this.#sessions.get(name);
    if (known !== undefined) return known;
    const session = create();
    this.#sessions.set(name, session);
    session.catch(() => this.#sessions.delete(name));
    return session;
  }
}
