import { expect, it } from "vitest";
import { openModelFolder } from "../checkpoint/model-folder.ts";
import { AbortedError } from "../errors.ts";
import { LocalFolder } from "../files/local-folder.ts";
import { nodePlatform } from "../node/platform.ts";
import type { Engine, Session } from "../runtime/engine.ts";
import { LocalEngine } from "../runtime/node/local-engine.ts";
import type { Drawing, DrawingPlan } from "./drawing.ts";
import { createDrawing } from "./model-drawing.ts";
import { ModelSessions } from "./model-sessions.ts";
import { PLAIN_SETTINGS } from "./settings.ts";
import { SharedLoop } from "./shared-loop.ts";
import { afresh, openTestSessions, testModelPath, testSlots } from "./test-models.ts";

function start(sessions: ModelSessions, plan: () => Promise<DrawingPlan>, signal?: AbortSignal): Drawing {
  return createDrawing({ sessions, loop: new SharedLoop(sessions) }, plan, signal);
}

/** An engine whose sessions answer when they are let, or from a run on. */
class HeldEngine extends LocalEngine {
  readonly #gate: Promise<void>;
  readonly #from: number;
  runs = 0;

  constructor(gate: Promise<void>, from = 0) {
    super({ threads: 1 });
    this.#gate = gate;
    this.#from = from;
  }

  override async createSession(...given: Parameters<Engine["createSession"]>): Promise<Session> {
    const session = await super.createSession(...given);
    return {
      model: session.model,
      run: async (...run) => {
        this.runs++;
        if (this.runs > this.#from) await this.#gate;
        return session.run(...run);
      },
      dispose: () => session.dispose(),
    };
  }
}

/** Two pictures of 12 tokens, of which the first knows 10. */
async function plan(sessions: ModelSessions, signal?: AbortSignal): Promise<DrawingPlan> {
  const slots = (await testSlots(sessions, ["rain", "a boat"], [1, 2])).map((slot) => afresh(slot));
  for (let cell = 0; cell < 10; cell++) slots[0]?.canvas.force(cell, new Float32Array(64).fill(0.1));
  const recipes = slots.map((_, index) => ({
    version: 1 as const,
    model: "v1.1",
    prompt: "rain",
    seed: index,
    width: 64,
    height: 48,
    settings: PLAIN_SETTINGS,
  }));
  const ground = { grid: [3, 4], tokenWidth: 64, images: [] } as const;
  return { slots, grid: [3, 4], ground, recipes, notes: [[], []], platform: nodePlatform, signal };
}

it("draws on while a slow decoder works on a picture that is finished, and hands over each when it is decoded", async () => {
  const folder = await openModelFolder(new LocalFolder(testModelPath("v1.1")));
  await using engine = new LocalEngine({ threads: 1 });
  const [gate, release] = heldPromise();
  const decoder = new HeldEngine(gate);
  let created = 0;
  const sessions = new ModelSessions(engine, folder, () => {
    created++;
    return decoder;
  });
  await sessions.backbone();
  expect(created).toBe(0);
  const drawing = start(sessions, () => plan(sessions));
  const order: number[] = [];
  const finished = (async () => {
    for await (const { index } of drawing.finished()) order.push(index);
  })();
  const drawn: number[] = [];
  const following = (async () => {
    for await (const { token } of drawing) drawn.push(token);
  })();
  await until(() => drawn.at(-1) === 12 && decoder.runs > 0);
  // All tokens are there, and not one picture.
  expect(order).toEqual([]);
  release();
  await Promise.all([finished, following]);
  expect(order).toEqual([0, 1]);
  expect((await drawing.pictures()).map(({ seed }) => seed)).toEqual([0, 1]);
  expect([created, decoder.runs]).toEqual([1, 2]);
  await sessions.close();
  await folder[Symbol.asyncDispose]();
});

it("is cancelled while it decodes", async () => {
  const folder = await openModelFolder(new LocalFolder(testModelPath("v1.1")));
  await using engine = new LocalEngine({ threads: 1 });
  const [gate, release] = heldPromise();
  const decoder = new HeldEngine(gate);
  const sessions = new ModelSessions(engine, folder, () => decoder);
  const abort = new AbortController();
  const pictures = start(sessions, () => plan(sessions, abort.signal)).pictures();
  await until(() => decoder.runs > 0);
  abort.abort();
  await expect(pictures).rejects.toThrow(AbortedError);
  release();
  await sessions.close();
  await folder[Symbol.asyncDispose]();
});

// Reading the prompts, reading known tokens, drawing.
it.each([1, 2, 3, 6, 9])(
  "is cancelled while the engine is at its run %i, which does not end",
  async (run) => {
    const folder = await openModelFolder(new LocalFolder(testModelPath("v1.1")));
    const [gate, release] = heldPromise();
    await using engine = new HeldEngine(gate, run - 1);
    const sessions = new ModelSessions(engine, folder);
    const abort = new AbortController();
    const pictures = start(sessions, () => plan(sessions, abort.signal)).pictures();
    pictures.catch(() => {});
    await until(() => engine.runs === run);
    abort.abort();
    await expect(Promise.race([pictures, later(2000)])).rejects.toThrow(AbortedError);
    release();
    await sessions.close();
    await folder[Symbol.asyncDispose]();
  },
);

it("ends previews with the drawing", async () => {
  const folder = await openModelFolder(new LocalFolder(testModelPath("v1.1")));
  const [gate, release] = heldPromise();
  await using engine = new LocalEngine({ threads: 1 });
  const decoder = new HeldEngine(gate);
  const sessions = new ModelSessions(engine, folder, () => decoder);
  const abort = new AbortController();
  const drawing = start(sessions, () => plan(sessions, abort.signal));
  let preview: Promise<unknown> | undefined;
  for await (const progress of drawing) {
    preview = progress.preview();
    preview.catch(() => {});
    if (progress.token > 4) break;
  }
  await expect(Promise.race([preview, later(2000)])).rejects.toThrow(AbortedError);
  release();
  await sessions.close();
  await folder[Symbol.asyncDispose]();
});

it("is cancelled while it is planned", async () => {
  await using opened = await openTestSessions("v1.1");
  const abort = new AbortController();
  const drawing = start(opened.sessions, () => new Promise(() => {}), abort.signal);
  const notes = drawing.notes();
  abort.abort();
  await expect(notes).rejects.toThrow(AbortedError);
  await expect(drawing.pictures()).rejects.toThrow(AbortedError);
});

it("decodes what needs no drawing", async () => {
  await using opened = await openTestSessions("v1.1");
  const { sessions } = opened;
  const made = await plan(sessions);
  for (const { canvas } of made.slots) {
    for (let cell = 0; cell < 12; cell++) canvas.force(cell, new Float32Array(64).fill(cell / 10));
  }
  const pictures = await start(sessions, async () => made).pictures();
  expect(pictures.map(({ pixels }) => [pixels.width, pixels.height])).toEqual([
    [64, 48],
    [64, 48],
  ]);
});

function heldPromise(): [Promise<void>, () => void] {
  let release = (): void => {};
  const promise = new Promise<void>((resolve) => {
    release = resolve;
  });
  return [promise, release];
}

async function later(ms: number): Promise<string> {
  await new Promise((resolve) => setTimeout(resolve, ms));
  return "too late";
}

async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await new Promise((resolve) => setTimeout(resolve, 5));
}
