import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { DrawingOrder } from "../../generate/drawing-order.ts";
import { ModelSessions } from "../../generate/model-sessions.ts";
import type { Slot } from "../../generate/slot.ts";
import { openTestSessions, testSlots } from "../../generate/test-models.ts";
import { TokenLoop } from "../../generate/token-loop.ts";
import { writeOnnx } from "../../graph/onnx-writer.ts";
import { ParameterScope } from "../../model/parameter-scope.ts";
import type { Engine } from "../../runtime/engine.ts";
import type { Grid } from "../../sequence/segments.ts";
import { CounterRng } from "../../tensor/counter-rng.ts";
import { joinedFloats } from "../../tensor/joined.ts";
import { AttentionMasks } from "./attention-mask.ts";
import { drawFlow } from "./flow-draws.ts";
import type { BatchImage, TokenRows } from "./token-rows.ts";
import { predictionCount, trainingFeeds } from "./training-feeds.ts";
import { predictingStates } from "./training-graph.ts";

const GRID: Grid = [4, 4];
const CAPTIONS = ["rain", "Two birds sing in the old tree near the river."];

/** An engine that notes what the image head was last told. */
class NotingEngine {
  readonly engine: Engine;
  #told: Float32Array = new Float32Array(0);

  constructor(engine: Engine) {
    this.engine = new Proxy(engine, {
      get: (target, name) => {
        const value: unknown = Reflect.get(target, name, target);
        if (typeof value !== "function") return value;
        if (name !== "runChain") return value.bind(target);
        return (links: Parameters<Engine["runChain"]>[0]) => {
          this.#told = (links[0]!.feeds.hidden as { readonly data: Float32Array }).data;
          return target.runChain(links);
        };
      },
    });
  }

  /** The state of one of the tokens that were drawn together. */
  told(index: number, width: number): Float32Array {
    return this.#told.slice(index * width, (index + 1) * width);
  }
}

// v1.1 shares key/value heads among four query heads, v1 among two.
describe.each(["v1", "v1.1"])("pictures that are learnt in a drawing order, %s", (name) => {
  let opened: Awaited<ReturnType<typeof openTestSessions>>;
  let noting: NotingEngine;
  let sessions: ModelSessions;
  beforeAll(async () => {
    opened = await openTestSessions(name);
    noting = new NotingEngine(opened.sessions.engine);
    sessions = new ModelSessions(noting.engine, opened.sessions.folder);
  });
  afterAll(() => opened[Symbol.asyncDispose]());

  const slotsOf = (rowLag: number): Promise<Slot[]> =>
    testSlots(sessions, CAPTIONS, [1, 2], {
      grid: GRID,
      rowLag,
      guidance: { cfg: 1, cfgImg: 1, schedule: "constant" },
      solver: { steps: 1 },
    });

  /** Draws a slot; what its tokens were predicted from, by cell. */
  async function draw(slot: Slot): Promise<Float32Array> {
    const { hiddenSize } = sessions.folder.config;
    await using loop = new TokenLoop(sessions);
    await loop.join(slot);
    const conditions: Float32Array[] = [];
    while (loop.slots.length > 0) {
      for (const [index, event] of (await loop.step()).entries()) {
        if (event.kind !== "token") throw new Error(event.kind);
        conditions[event.cell] = noting.told(index, hiddenSize);
      }
    }
    return joinedFloats(conditions);
  }

  /** Slots whose pictures have any tokens. */
  async function known(): Promise<[Slot, Slot]> {
    const [first, second] = await slotsOf(1);
    const rng = new CounterRng(7);
    for (const { canvas } of [first!, second!]) {
      for (let cell = 0; cell < canvas.count; cell++) {
        canvas.force(cell, rng.fillNormal(new Float32Array(canvas.width)));
      }
    }
    return [first!, second!];
  }

  /** The conditions of all predicted tokens of a batch, in order. */
  async function conditionsOfTraining(batch: TokenRows): Promise<Float32Array> {
    const { config, tensors } = sessions.folder;
    const draws = drawFlow(config, predictionCount(config, batch), new CounterRng(1));
    const { parts, feeds } = trainingFeeds(config, batch, draws);
    const states = predictingStates(new ParameterScope(), config, parts);
    const graph = writeOnnx({ states }, { parameters: "initializers" });
    const session = await sessions.engine.createSession(graph, tensors.weightSource);
    const inputs = new Set(graph.inputs.map((input) => input.name));
    const result = await session.run(
      Object.fromEntries(Object.entries(feeds).filter(([input]) => inputs.has(input))),
    );
    await session.dispose();
    const data = result.states!.data as Float32Array;
    return data.subarray(0, predictionCount(config, batch) * config.hiddenSize);
  }

  /** Rows of the slots' prompts and of the tokens that were drawn. */
  function rowsOf(slots: readonly Slot[], imagesOf: (slot: Slot) => BatchImage): TokenRows {
    const { config } = sessions.folder;
    const samples = slots.map(({ request: { rows }, canvas }) => [
      ...rows[0]!.ids,
      ...new Array<number>(canvas.count).fill(config.placeholder),
      config.eoi!,
    ]);
    const tokens = Math.max(...samples.map(({ length }) => length));
    const ids = new Int32Array(slots.length * tokens);
    samples.forEach((sample, row) => {
      ids.set(sample, row * tokens);
    });
    return { rows: slots.length, tokens, ids, labels: ids, images: slots.map(imagesOf) };
  }

  const imageOf = ({ canvas }: Slot, order?: DrawingOrder): BatchImage => ({
    tokens: canvas.cells(),
    read: canvas.cells(),
    predicted: true,
    order,
  });

  /** Largest difference over largest number. */
  const distance = (a: Float32Array, b: Float32Array): number =>
    a.reduce((most, value, i) => Math.max(most, Math.abs(value - b[i]!)), 0) /
    b.reduce((most, value) => Math.max(most, Math.abs(value)), 0);

  it.each([1, 2, 3, 4])("are predicted from what the token loop sees, lag %i", async (lag) => {
    const slots = await slotsOf(lag);
    const drawn: Float32Array[] = [];
    for (const slot of slots) drawn.push(await draw(slot));
    const conditions = joinedFloats(drawn);
    const learnt = await conditionsOfTraining(
      rowsOf(slots, (slot) => imageOf(slot, new DrawingOrder(GRID, lag))),
    );
    expect(learnt).toHaveLength(conditions.length);
    // Sums of other shapes: rounding alone.
    expect(distance(learnt, conditions)).toBeLessThan(1e-5);
    const raster = await conditionsOfTraining(rowsOf(slots, (slot) => imageOf(slot)));
    if (lag === GRID[1]) expect(distance(raster, conditions)).toBeLessThan(1e-5);
    else expect(distance(raster, conditions)).toBeGreaterThan(1e-2);
  });

  it("are the same beside other samples of their row", async () => {
    const slots = await known();
    const order = new DrawingOrder(GRID, 1);
    const apart = rowsOf(slots, (slot) => imageOf(slot, order));
    const lengths = slots.map(({ request, canvas }) => request.rows[0]!.ids.length + canvas.count + 1);
    const ids = Int32Array.from(
      lengths.flatMap((length, row) => [
        ...apart.ids.subarray(row * apart.tokens, row * apart.tokens + length),
      ]),
    );
    const samples = Int32Array.from(ids, (_, at) => (at < lengths[0]! ? 0 : 1));
    const labels = ids.slice();
    const packed = { ...apart, rows: 1, tokens: ids.length, ids, labels };
    const alone = await conditionsOfTraining(apart);
    expect(distance(await conditionsOfTraining({ ...packed, samples }), alone)).toBeLessThan(1e-5);
    expect(distance(await conditionsOfTraining(packed), alone)).toBeGreaterThan(1e-2);
  });

  it("leave pictures alone that are only read", async () => {
    const slots = await known();
    const [given, learnt] = slots;
    const order = new DrawingOrder(GRID, 1);
    const both = (image: BatchImage): TokenRows => {
      const { ids, tokens, ...batch } = rowsOf(slots, (slot) =>
        slot === given ? image : imageOf(slot, order),
      );
      return { ...batch, rows: 1, tokens: 2 * tokens, ids, labels: ids };
    };
    const plain = await conditionsOfTraining(both({ ...imageOf(given), predicted: false }));
    const ordered = await conditionsOfTraining(both({ ...imageOf(given, order), predicted: false }));
    expect(plain).toHaveLength(learnt.canvas.count * sessions.folder.config.hiddenSize);
    expect(distance(ordered, plain)).toBeGreaterThan(1e-3);
  });

  it("have the mask of their batch, whatever the batch before", async () => {
    const slots = await known();
    const { config } = sessions.folder;
    const masks = new AttentionMasks();
    const maskOf = (lag: number, kept: AttentionMasks): Float32Array => {
      const batch = rowsOf(slots, (slot) => imageOf(slot, new DrawingOrder(GRID, lag)));
      const draws = drawFlow(config, predictionCount(config, batch), new CounterRng(1));
      return trainingFeeds(config, batch, draws, undefined, kept).feeds.mask!.data as Float32Array;
    };
    for (const lag of [1, 2, 3, 1, 4, 2]) {
      expect(maskOf(lag, masks), `lag ${lag}`).toEqual(maskOf(lag, new AttentionMasks()));
    }
  });

  it("need an order of their size", async () => {
    const slots = await known();
    const batch = rowsOf(slots, (slot) => imageOf(slot, new DrawingOrder([3, 4], 2)));
    await expect(conditionsOfTraining(batch)).rejects.toThrow(/order of 12 tokens for a picture of 16/);
  });
});
