/** @file A layer of ours beside one of llama.cpp: published sizes, 4 bits, the same threads, in turn. */
import { rm } from "node:fs/promises";
import { availableParallelism } from "node:os";
import { join } from "node:path";
import type { NextStepConfig } from "../../src/model/config.ts";
import type { Engine } from "../../src/runtime/engine.ts";
import { openBackbonePass } from "../backbone-pass.ts";
import type { BoundModel } from "../block-weights.ts";
import { type Machine, machine } from "../measure.ts";
import { TemporaryFolder } from "../temporary-folder.ts";
import type { BlockType } from "./block-noise.ts";
import { type Comparisons, compare, type Side } from "./compare.ts";
import type { Decoder } from "./decoder.ts";
import { LlamaCpp } from "./llama-cpp.ts";
import { VOCABULARY, writeQwen2Gguf } from "./qwen2-gguf.ts";

/** Those of 4 bits for which llama.cpp has its fastest products. */
const FORMATS: readonly BlockType[] = ["Q4_0", "Q4_K"];
/** Layers of the smaller model on each side. */
export const FEW_LAYERS = 1;

export interface PeerSizes {
  /** Sequences, and rows of ours. */
  readonly rows: number;
  readonly past: number;
  /** Of the larger model; more than {@link FEW_LAYERS}. */
  readonly layers: number;
  readonly rounds: number;
  /** All of the machine's unless given. */
  readonly threads: number | undefined;
}

export interface PeerMeasurement {
  readonly name: "peer";
  readonly sizes: Readonly<Record<string, number>>;
  readonly rounds: number;
  /** By the peer's format. */
  readonly formats: Readonly<Record<string, Comparisons>>;
  readonly machine: Machine;
}

/**
 * @param engine whose threads are those of `sizes`.
 * @param openModel opens ours, with so many layers or more; called once the peer is there.
 * @throws PeerMissingError
 */
export async function benchPeer(
  engine: Engine,
  openModel: () => Promise<BoundModel>,
  sizes: PeerSizes,
): Promise<PeerMeasurement> {
  const { rows, past, layers, rounds, threads = availableParallelism() } = sizes;
  await using llama = await LlamaCpp.load(threads);
  await using model = await openModel();
  const config = { ...model.config, layers };
  const shallow = { ...config, layers: FEW_LAYERS };
  await using many = await openOurs(engine, config, sizes, model);
  await using few = await openOurs(engine, shallow, sizes, model);
  const ours: Side = { many, few };
  const formats: Record<string, Comparisons> = {};
  for (const format of FORMATS) {
    const open = (of: NextStepConfig) => openTheirs(llama, of, format, sizes);
    await using peerMany = await open(config);
    await using peerFew = await open(shallow);
    formats[format] = await compare(ours, { many: peerMany, few: peerFew }, layers - FEW_LAYERS, rounds);
  }
  const described = { rows, past, threads, manyLayers: layers, fewLayers: FEW_LAYERS };
  return { name: "peer", sizes: described, rounds, formats, machine: machine() };
}

async function openOurs(
  engine: Engine,
  config: NextStepConfig,
  { rows, past }: PeerSizes,
  model: BoundModel,
): Promise<Decoder> {
  const sizes = { rows, past, tokens: 1, replay: false };
  const { session, feeds } = await openBackbonePass(engine, config, sizes, model);
  return {
    step: async () => {
      await session.run(feeds);
    },
    [Symbol.asyncDispose]: () => session.dispose(),
  };
}

async function openTheirs(
  llama: LlamaCpp,
  config: NextStepConfig,
  format: BlockType,
  { rows, past }: PeerSizes,
): Promise<Decoder> {
  const folder = await TemporaryFolder.create();
  try {
    const path = join(folder.path, `${format}.gguf`);
    await writeQwen2Gguf(path, config, format);
    const decoder = await llama.openDecoder(path, { sequences: rows, cached: past, vocabulary: VOCABULARY });
    // A system that keeps files which are open has it until the decoder is closed.
    await rm(path).catch(() => undefined);
    return {
      step: () => decoder.step(),
      async [Symbol.asyncDispose]() {
        await decoder[Symbol.asyncDispose]();
        await folder[Symbol.asyncDispose]();
      },
    };
  } catch (error) {
    await folder[Symbol.asyncDispose]();
    throw error;
  }
}
