/** @file What is fuzzed: for each format valid files to start from, and a reader that uses everything it is given. */

import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { autoencoderConfig, job, modelConfig, recipe, settings, trainingConfig } from "./config-targets.ts";
import {
  captionText,
  csvTable,
  jsonlTable,
  preferencePairs,
  sampleDescription,
  xmp,
} from "./data-targets.ts";
import { picture } from "./picture-target.ts";
import { tar } from "./tar-target.ts";
import type { FuzzTarget } from "./target.ts";
import { parameters, pngText } from "./text-targets.ts";
import { tokenizerFiles } from "./tokenizer-targets.ts";
import { pickle, safetensors, safetensorsIndex, torchArchive } from "./weight-targets.ts";

/** All targets; building them reads and writes a few small files. */
export async function fuzzTargets(): Promise<FuzzTarget[]> {
  const folder = await mkdtemp(join(tmpdir(), "fuzz-"));
  try {
    return [
      await safetensors(folder),
      await safetensorsIndex(),
      await torchArchive(folder),
      await pickle(),
      await tar(folder),
      await pngText(),
      parameters(),
      await picture(),
      await recipe(),
      job(),
      await settings(),
      await modelConfig(),
      await autoencoderConfig(),
      await trainingConfig(),
      csvTable(),
      jsonlTable(),
      preferencePairs(),
      captionText(),
      sampleDescription(),
      xmp(),
      ...(await tokenizerFiles()),
    ];
  } finally {
    await rm(folder, { recursive: true });
  }
}
