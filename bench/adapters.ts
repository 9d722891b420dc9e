/** @file Benchmark of pictures with adapters: each with its own in one batch, beside as many drawings of one picture. */
import { join } from "node:path";
import { openModelFolder } from "../src/checkpoint/model-folder.ts";
import { LocalFolder } from "../src/files/local-folder.ts";
import type { Model } from "../src/generate/model.ts";
import { adaptableLinears } from "../src/model/adapter.ts";
import { open } from "../src/node/open-model.ts";
import { writeAdapterFolder } from "../src/node/write-adapter-folder.ts";
import { CounterRng } from "../src/tensor/counter-rng.ts";
import { type Machine, machine } from "./measure.ts";
import { TemporaryFolder } from "./temporary-folder.ts";

export interface AdapterSizes {
  readonly model: string;
  readonly adapters: number;
  readonly rank: number;
  readonly runs: number;
  readonly threads: number;
}

export interface AdapterMeasurement {
  readonly name: "adapters";
  readonly sizes: AdapterSizes;
  /** Medians, of as many pictures as there are adapters. */
  readonly seconds: {
    /** One batch, each picture with its own adapter. */
    readonly mixed: number;
    /** One batch without adapters, of a model that was opened without. */
    readonly plain: number;
    /** One picture after the other, each with its own adapter. */
    readonly separate: number;
  };
  readonly mixedToSeparate: number;
  readonly mixedToPlain: number;
  readonly machine: Machine;
}

async function writeAdapters(folder: string, { model, adapters, rank }: AdapterSizes): Promise<string[]> {
  await using base = await openModelFolder(new LocalFolder(model));
  const shapes = adaptableLinears(base.parameters);
  const paths = Array.from({ length: adapters }, (_, index) => join(folder, `adapter-${index}`));
  for (const [index, path] of paths.entries()) {
    const rng = new CounterRng(index);
    const normal = (count: number, gain: number): Float32Array =>
      rng.fillNormal(new Float32Array(count)).map((value) => value * gain);
    const linears = shapes.map((shape) => ({
      ...{ ...shape, rank },
      down: normal(rank * shape.inputs, 1 / Math.sqrt(shape.inputs)),
      up: normal(rank * shape.outputs, 0.01),
    }));
    await writeAdapterFolder(path, {
      ...{ base: "bench", rank, alpha: rank, dropout: 0, rankStabilised: false, linears },
    });
  }
  return paths;
}

/** The three ways one after the other, in each of the runs. */
export async function benchAdapters(sizes: AdapterSizes): Promise<AdapterMeasurement> {
  await using folder = await TemporaryFolder.create();
  const paths = await writeAdapters(folder.path, sizes);
  const options = sizes.threads === 0 ? {} : { threads: sizes.threads };
  await using adapted = await open(sizes.model, {
    ...options,
    adapters: Object.fromEntries(paths.map((path) => [path, path])),
  });
  await using plain = await open(sizes.model, options);
  const one = (model: Model, index: number) =>
    model.draw("a red apple", {
      seed: index,
      ...(model === adapted ? { adapters: [{ name: paths[index] as string }] } : {}),
    });
  const together = (model: Model) => Promise.all(paths.map((_, index) => one(model, index)));
  const ways = {
    mixed: () => together(adapted),
    plain: () => together(plain),
    separate: async () => {
      for (const index of paths.keys()) await one(adapted, index);
    },
  };
  const times = { mixed: [] as number[], plain: [] as number[], separate: [] as number[] };
  for (let run = 0; run <= sizes.runs; run++) {
    for (const way of ["mixed", "plain", "separate"] as const) {
      const started = performance.now();
      await ways[way]();
      // The first run loads the weights.
      if (run > 0) times[way].push((performance.now() - started) / 1000);
    }
  }
  const median = (list: readonly number[]): number =>
    [...list].sort((a, b) => a - b)[Math.floor(list.length / 2)] as number;
  const seconds = {
    mixed: median(times.mixed),
    plain: median(times.plain),
    separate: median(times.separate),
  };
  return {
    ...{ name: "adapters", sizes, seconds },
    mixedToSeparate: seconds.mixed / seconds.separate,
    mixedToPlain: seconds.mixed / seconds.plain,
    machine: machine(),
  };
}
