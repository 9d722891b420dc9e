/**
 * @file llama.cpp through `node-llama-cpp`, which this package does not depend on: whoever compares installs it, without its
 * script and with the one build for the CPU. Only documented parts of it are used.
 */
import type { Decoder } from "./decoder.ts";

const VERSION = "3.22.1";
const PACKAGE = "node-llama-cpp";
/** Folder of this file in the repository: what is installed here leaves the package's own dependencies alone. */
const PLACE = "bench/peer";

/** The peer cannot be loaded; the message says how it is installed. */
export class PeerMissingError extends Error {
  override readonly name = "PeerMissingError";

  constructor(cause: unknown) {
    super(
      `peer needs llama.cpp, which no other part does: ${installCommand(process.platform, process.arch)}`,
      { cause },
    );
  }
}

/** What installs the peer: 30 MB of its build and 60 MB of packages. */
export function installCommand(platform: string, arch: string): string {
  const build =
    platform === "win32" ? `win-${arch}` : platform === "darwin" ? macBuild(arch) : `${platform}-${arch}`;
  const packages = `${PACKAGE}@${VERSION} @${PACKAGE}/${build}@${VERSION}`;
  return `npm install --prefix ${PLACE} --no-save --ignore-scripts --omit=optional ${packages}`;
}

function macBuild(arch: string): string {
  return arch === "arm64" ? "mac-arm64-metal" : `mac-${arch}`;
}

// As much of its types as is used.
interface LlamaModule {
  getLlama(options: {
    readonly gpu: false;
    readonly build: "never";
    readonly skipDownload: true;
    readonly maxThreads: number;
    readonly logLevel: "error";
  }): Promise<Llama>;
}
interface Llama {
  loadModel(options: { readonly modelPath: string }): Promise<LlamaModel>;
  dispose(): Promise<void>;
}
interface LlamaModel {
  createContext(options: {
    readonly sequences: number;
    readonly contextSize: number;
    readonly threads: { readonly ideal: number; readonly min: number };
    readonly batching: { readonly itemPrioritizationStrategy: Prioritize };
  }): Promise<LlamaContext>;
  dispose(): Promise<void>;
}
interface LlamaContext {
  readonly currentThreads: number;
  getSequence(): LlamaSequence;
}
interface LlamaSequence {
  evaluateWithoutGeneratingNewTokens(tokens: readonly number[]): Promise<void>;
  eraseContextTokenRanges(ranges: readonly { readonly start: number; readonly end: number }[]): Promise<void>;
}
interface BatchItem {
  readonly tokens: readonly number[];
}
/** Shares the room of a batch among those who wait. */
type Prioritize = (waiting: {
  readonly items: readonly BatchItem[];
  readonly size: number;
}) => readonly { readonly item: BatchItem; readonly processAmount: number }[];

export interface LlamaSizes {
  readonly sequences: number;
  /** Tokens of each sequence that the next one looks back at. */
  readonly cached: number;
  /** Ids of tokens are below. */
  readonly vocabulary: number;
}

/** The library, loaded. */
export class LlamaCpp implements AsyncDisposable {
  readonly #llama: Llama;
  readonly #threads: number;

  private constructor(llama: Llama, threads: number) {
    this.#llama = llama;
    this.#threads = threads;
  }

  /** @throws PeerMissingError */
  static async load(threads: number): Promise<LlamaCpp> {
    try {
      // A name in a variable: the types of a package that need not be there are not looked for.
      const loaded: unknown = await import(PACKAGE);
      const options = { gpu: false, build: "never", skipDownload: true, logLevel: "error" } as const;
      return new LlamaCpp(await asModule(loaded).getLlama({ ...options, maxThreads: threads }), threads);
    } catch (cause) {
      throw new PeerMissingError(cause);
    }
  }

  /** Opens a model file and reads so many tokens into each sequence. The file may be removed afterwards. */
  async openDecoder(modelPath: string, sizes: LlamaSizes): Promise<Decoder> {
    const { sequences, cached, vocabulary } = sizes;
    const model = await this.#llama.loadModel({ modelPath });
    const batches: number[] = [];
    const context = await model.createContext({
      sequences,
      contextSize: cached + 1,
      threads: { ideal: this.#threads, min: this.#threads },
      batching: {
        itemPrioritizationStrategy: ({ items, size }) => {
          batches.push(items.length);
          return items.map((item) => ({ item, processAmount: Math.floor(size / items.length) }));
        },
      },
    });
    const all = Array.from({ length: sequences }, () => context.getSequence());
    const read = (tokens: number) =>
      Promise.all(
        all.map((sequence, row) =>
          sequence.evaluateWithoutGeneratingNewTokens(
            Array.from({ length: tokens }, (_, index) => (7 * index + row) % vocabulary),
          ),
        ),
      );
    await read(cached);
    return {
      step: async () => {
        batches.length = 0;
        await read(1);
        if (batches.length !== 1 || batches[0] !== sequences || context.currentThreads !== this.#threads) {
          throw new Error(
            `llama.cpp took batches of ${batches.join(", ")} sequences on ${context.currentThreads} threads, not one of ${sequences} on ${this.#threads}`,
          );
        }
        const end = { start: cached, end: cached + 1 };
        for (const sequence of all) await sequence.eraseContextTokenRanges([end]);
      },
      [Symbol.asyncDispose]: () => model.dispose(),
    };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#llama.dispose();
  }
}

function asModule(loaded: unknown): LlamaModule {
  if (typeof loaded === "object" && loaded !== null && "getLlama" in loaded) return loaded as LlamaModule;
  throw new TypeError(`${PACKAGE} has no getLlama`);
}
