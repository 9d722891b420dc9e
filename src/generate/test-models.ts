/** @file Models and sessions for the tests of this room. */
import { fileURLToPath } from "node:url";
import { openModelFolder } from "../checkpoint/model-folder.ts";
import { LocalFolder } from "../files/local-folder.ts";
import { LocalEngine } from "../runtime/local-engine.ts";
import { buildPromptRows } from "../sequence/prompt.ts";
import { loadTokenizer } from "../sequence/tokenizer.ts";
import type { TokenRequest } from "./draw-tokens.ts";
import { ModelSessions } from "./model-sessions.ts";
import { promptTokenRows } from "./prompt-rows.ts";
import { seededNoise } from "./token-noise.ts";

/** Folder of a tiny published-layout model: `v1`, `v1.1`, `train`. */
export function testModelPath(name: string): string {
  return fileURLToPath(new URL(`../../test/parity/models/${name}`, import.meta.url));
}

/** Sessions of a tiny model on an engine of one thread in this one. Disposed together. */
export async function openTestSessions(name: string): Promise<{ sessions: ModelSessions } & AsyncDisposable> {
  const folder = await openModelFolder(new LocalFolder(testModelPath(name)));
  const engine = new LocalEngine({ threads: 1 });
  return {
    sessions: new ModelSessions(engine, folder),
    async [Symbol.asyncDispose]() {
      await engine[Symbol.asyncDispose]();
      await folder[Symbol.asyncDispose]();
    },
  };
}

/** A drawing of 3 x 4 tokens of each caption, picture i with seed `seeds[i]`. */
export async function testRequest(
  sessions: ModelSessions,
  captions: readonly string[],
  seeds: readonly number[],
  change: Partial<TokenRequest> = {},
): Promise<TokenRequest> {
  const prompt = buildPromptRows(await loadTokenizer(sessions.folder.files), {
    captions,
    images: null,
    imagesPerCaption: 1,
    positive: null,
    negative: "low quality",
    size: [48, 64],
    cfg: 3,
    cfgImg: 1,
    code: "P-B",
  });
  return {
    rows: promptTokenRows(prompt, []),
    branches: prompt.branches,
    count: 12,
    sampler: "sde",
    solver: { steps: 4 },
    guidance: { cfg: 3, cfgImg: 1, schedule: "constant" },
    noise: seededNoise(seeds),
    useNorm: false,
    ...change,
  };
}
