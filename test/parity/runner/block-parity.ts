/** @file Every model of a folder laid out like test/parity, rounded to blocks, against the float path on the blocks. */
import { mkdtemp, readdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { openModelFolder } from "../../../src/checkpoint/model-folder.ts";
import {
  type ConversionBits,
  conversionFormats,
} from "../../../src/checkpoint/quantized/conversion-formats.ts";
import { InputError } from "../../../src/errors.ts";
import { LocalFolder } from "../../../src/files/local-folder.ts";
import { modelParameters } from "../../../src/model/parameter-list.ts";
import { LocalEngine } from "../../../src/runtime/node/local-engine.ts";
import { writeBlocks } from "../../support/write-blocks.ts";
import { blockAgreement } from "./block-agreement.ts";

/** Of the largest number of an output; where activations are not rounded, or are on both sides, of a typical one. */
export const TOLERANCE = 1e-2;
/** Of a conversion's blocks. */
const BLOCK_SIZE = 64;

/** Root mean square of one output's error, as a part. */
export interface ModelAgreement {
  readonly model: string;
  readonly output: string;
  readonly ok: boolean;
  /** Of the largest number. */
  readonly ofLargest: number;
  /** Of the root mean square. */
  readonly ofTypical: number;
  /** The same against the float path with activations rounded as the block kernels do. */
  readonly besidesActivations: number;
  /** Of the root mean square, by kernels that do not round activations. */
  readonly floatActivations: number;
}

/** @throws InputError when the folder holds no models. */
export async function* runBlockParity(folder: string, bits: ConversionBits): AsyncGenerator<ModelAgreement> {
  const models = join(folder, "models");
  const names = (await readdir(models).catch(() => [])).sort();
  if (names.length === 0) {
    throw new InputError("holds no models", {
      where: folder,
      remedy: "name a folder with cases/ and models/",
    });
  }
  const scratch = await mkdtemp(join(tmpdir(), "nextstep-blocks-"));
  try {
    await using engine = new LocalEngine({ threads: 1, spin: false });
    for (const model of names) {
      const source = join(models, model);
      const target = join(scratch, model);
      await using original = await openModelFolder(new LocalFolder(source));
      await writeBlocks(source, target, conversionFormats(bits, modelParameters(original.config)));
      await using stored = await openModelFolder(new LocalFolder(target));
      for (const { output, float, rounded, unrounded } of await blockAgreement(engine, stored, BLOCK_SIZE)) {
        const ofLargest = float.error / float.largest;
        const besidesActivations = rounded.error / rounded.typical;
        const floatActivations = unrounded.error / unrounded.typical;
        yield {
          model,
          output,
          ok: [ofLargest, besidesActivations, floatActivations].every((error) => error <= TOLERANCE),
          ofLargest,
          ofTypical: float.error / float.typical,
          besidesActivations,
          floatActivations,
        };
      }
    }
  } finally {
    await rm(scratch, { recursive: true });
  }
}
