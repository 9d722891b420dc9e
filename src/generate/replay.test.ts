import { afterAll, describe, expect, it } from "vitest";
import { openModelFolder } from "../checkpoint/model-folder.ts";
import { LocalFolder } from "../files/local-folder.ts";
import type { Port } from "../graph/onnx-writer.ts";
import { type NextStepConfig, parseNextStepConfig, tokenWidth } from "../model/config.ts";
import { defaultModelPath } from "../node/default-model.ts";
import type { WeightSource } from "../runtime/engine.ts";
import { LocalEngine } from "../runtime/node/local-engine.ts";
import { CounterRng } from "../tensor/counter-rng.ts";
import { backboneGraph } from "./backbone-graph.ts";
import { type Backbone, CachedRows } from "./cached-rows.ts";
import { storedEmbedding } from "./stored-embedding.ts";
import { testModelPath } from "./test-models.ts";
import type { TokenEmbedding, TokenRow } from "./token-feeds.ts";

const engines = [1, 2].map((threads) => ({ threads, engine: new LocalEngine({ threads }) }));
afterAll(() => Promise.all(engines.map(({ engine }) => engine[Symbol.asyncDispose]())));

/** As many image tokens as a row goes on with, a different number each. */
const KNOWN = [70, 31, 54];
const PROMPTS = [5, 90, 17];

function ids(length: number, seed: number): number[] {
  return Array.from({ length }, (_, i) => (seed * 131 + i * i * 17) % 400);
}

/** Tokens `from` to `to` of a row. */
function imageRow(config: NextStepConfig, row: number, from: number, to: number): TokenRow {
  const width = tokenWidth(config);
  const tokens = Float32Array.from({ length: (to - from) * width }, (_, i) =>
    Math.sin(row * 100 + (from * width + i) * 0.37),
  );
  return { ids: new Array<number>(to - from).fill(config.placeholder), images: [{ start: 0, tokens }] };
}

/** States behind the known tokens: one by one, all rows side by side as long as they go on, or replayed. */
async function states(backbone: Backbone, replay: boolean) {
  const { config } = backbone;
  await using cached = new CachedRows(backbone, KNOWN.length);
  let hidden = await cached.append(PROMPTS.map((length, row) => ({ ids: ids(length, row) })));
  if (replay) {
    const rows = KNOWN.map((known, row) => imageRow(config, row, 0, known));
    return await cached.append(rows, { replay: true });
  }
  for (let token = 0; token < Math.max(...KNOWN); token++) {
    const rows = KNOWN.map((known, row) =>
      token < known ? imageRow(config, row, token, token + 1) : { ids: [] },
    );
    const next = await cached.append(rows);
    hidden = hidden.map((value, i) => {
      const row = Math.floor(i / config.hiddenSize);
      return token < (KNOWN[row] as number) ? (next[i] as number) : value;
    });
  }
  return hidden;
}

async function expectSame(
  engine: LocalEngine,
  config: NextStepConfig,
  weights: WeightSource,
  embed: TokenEmbedding,
): Promise<void> {
  const session = await engine.createSession(backboneGraph(config), weights);
  const backbone = { engine, session, config, embed };
  const alone = await states(backbone, false);
  expect(await states(backbone, true)).toEqual(alone);
  await session.dispose();
}

// The rounding of one pass over a whole prompt differs from that of single steps; a replay's must not.
describe.each(engines)("a replay at $threads threads", ({ engine }) => {
  it.each([
    ["the default model", defaultModelPath()],
    ["v1", testModelPath("v1")],
    ["v1.1", testModelPath("v1.1")],
  ])("has the bits of single steps, %s", async (_, path) => {
    await using folder = await openModelFolder(new LocalFolder(path));
    const { config, tensors } = folder;
    await expectSame(engine, config, tensors.weightSource, storedEmbedding(config, tensors));
  });

  it("has them also where each query head has keys of its own", async () => {
    const { config } = parseNextStepConfig(
      {
        hidden_size: 64,
        intermediate_size: 96,
        num_attention_heads: 4,
        num_key_value_heads: 4,
        head_dim: 16,
        num_hidden_layers: 2,
        vocab_size: 500,
        fm_head_dim: 32,
        fm_head_layers: 1,
        rope_theta: 1e4,
        max_position_embeddings: 512,
        boi: 1,
        eoi: 2,
        image_placeholder_id: 3,
        pad_token_id_added: 0,
      },
      "sizes",
    );
    const normal = (seed: number, length: number): Float32Array =>
      new CounterRng(seed).fillNormal(new Float32Array(length)).map((value) => value * 0.2);
    const weights: WeightSource = ({ shape }: Port) => {
      const elements = (shape as readonly number[]).reduce((a, b) => a * b, 1);
      return normal(elements, elements);
    };
    const embed: TokenEmbedding = async (read) =>
      Float32Array.from(read.flatMap((id) => [...normal(id, config.hiddenSize)]));
    await expectSame(engine, config, weights, embed);
  });
});
