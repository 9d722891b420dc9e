/** @file What happens to work on the way when the engine is disposed, its thread is lost or a message cannot be read. */
import { once } from "node:events";
import { Worker } from "node:worker_threads";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { EngineError } from "../../errors.ts";
import { type OnnxModel, writeOnnx } from "../../graph/onnx-writer.ts";
import { add } from "../../graph/operators/elementwise.ts";
import { matmul } from "../../graph/operators/matmul.ts";
import { input, parameter, type Value } from "../../graph/value.ts";
import type { HostTensor } from "../engine.ts";
import { WorkerEngine } from "./worker-engine.ts";

const SIDE = 1024;
/** y = x + w, and long work on the side: x multiplied by itself again and again. */
const y = add(input("x", "float32", [SIDE, SIDE]), parameter("w", [SIDE]));
let product: Value = y;
for (let step = 0; step < 40; step++) product = matmul(product, y);
const model: OnnxModel = writeOnnx({ y, product }, { parameters: "initializers" });
const x: HostTensor = { dtype: "float32", shape: [SIDE, SIDE], data: new Float32Array(SIDE * SIDE) };
const weights = (): Float32Array => new Float32Array(SIDE);

/** The thread of the engine that was started last. */
let thread: Worker;
const keep = (worker: Worker): void => {
  thread = worker;
};
const unhandled: unknown[] = [];
const note = (reason: unknown): void => {
  unhandled.push(reason);
};

async function startEngine(): Promise<WorkerEngine> {
  const engine = WorkerEngine.create({ threads: 1 });
  // Node tells of a new thread after the task that made it.
  await new Promise((resolve) => setImmediate(resolve));
  return engine;
}

beforeEach(() => {
  process.on("worker", keep);
  process.on("unhandledRejection", note);
});
afterEach(async () => {
  // Rejections are reported after the tasks that made them.
  await new Promise((resolve) => setTimeout(resolve, 20));
  process.off("worker", keep);
  process.off("unhandledRejection", note);
  expect(unhandled.splice(0)).toEqual([]);
});

describe("worker engine", () => {
  it("fails a session whose weights are on the way when it is disposed, and nothing else", async () => {
    const engine = await startEngine();
    const names = ["a", "b", "c"];
    const sum = names.map((name) => parameter(name, [1 << 16])).reduce((left, right) => add(left, right));
    const several = writeOnnx({ sum }, { parameters: "initializers" });
    let disposed: Promise<void> | undefined;
    let asked = 0;
    const opening = engine.createSession(several, async () => {
      asked++;
      // The first weight is sent behind the farewell and fails while the second is still read.
      if (asked === 1) disposed = engine[Symbol.asyncDispose]();
      if (asked === 2) {
        await disposed;
        await new Promise((resolve) => setTimeout(resolve, 20));
      }
      return new Float32Array(1 << 16);
    });
    await expect(opening).rejects.toThrow(EngineError);
    await disposed;
  });

  it("keeps nothing of a session whose weights could not be read", async () => {
    await using engine = await startEngine();
    const two = writeOnnx(
      { sum: add(parameter("first", [4]), parameter("second", [4])) },
      { parameters: "initializers" },
    );
    const sent: unknown[] = [];
    const post = thread.postMessage.bind(thread);
    thread.postMessage = (message: { command: { kind: string } }) => {
      sent.push(message.command.kind);
      post(message);
    };
    let asked = 0;
    const opening = engine.createSession(two, () => {
      if (asked++ === 1) throw new Error("the disk is gone");
      return new Float32Array(4);
    });
    await expect(opening).rejects.toThrow("the disk is gone");
    expect(sent).toEqual(["weight", "dropWeights"]);
    const { sum } = await (await engine.createSession(two, () => Float32Array.of(1, 2, 3, 4))).run({});
    expect(sum?.data).toEqual(Float32Array.of(2, 4, 6, 8));
  });

  it("fails a run with a typed error when its thread is lost, and disposes what was open", async () => {
    const engine = await startEngine();
    const session = await engine.createSession(model, weights);
    const state = await engine.createState([1, 2]);
    const lost = (async () => {
      await using held = { [Symbol.asyncDispose]: () => state.dispose() };
      expect(held).toBeDefined();
      await session.run({ x }, { fetch: ["product"] });
    })();
    const failed = expect(lost).rejects.toThrow(EngineError);
    // As when an exception ended it. Ending it by force inside the engine's own code would end the process.
    const ended = once(thread, "exit");
    thread.emit("exit", 1);
    await failed;
    await expect(lost).rejects.toThrow(/ended before its work was done/);
    await session.dispose();
    await state.dispose();
    await engine[Symbol.asyncDispose]();
    await expect(session.run({ x })).rejects.toThrow(EngineError);
    await ended;
    thread.postMessage({ id: -1, command: { kind: "close" } });
    await once(thread, "exit");
  });

  it("fails all work when an answer cannot be read", async () => {
    const engine = await startEngine();
    const state = await engine.createState([1, 2]);
    const reading = state.read();
    thread.emit("messageerror", new Error("unreadable"));
    await expect(reading).rejects.toThrow(/an answer could not be read/);
    await expect(state.read()).rejects.toThrow(EngineError);
    await engine[Symbol.asyncDispose]();
  });

  it("ends a thread that cannot read a message", async () => {
    const entry = new URL("./engine-worker-from-sources.mjs", import.meta.url).href;
    const code = `
      import { parentPort } from "node:worker_threads";
      await import(${JSON.stringify(entry)});
      parentPort.emit("messageerror", new Error("unreadable"));`;
    const worker = new Worker(new URL(`data:text/javascript,${encodeURIComponent(code)}`), {
      workerData: { options: {} },
    });
    const [error] = (await once(worker, "error")) as [Error];
    expect(error.message).toMatch(/a message could not be read/);
  });

  it("is disposed by several callers at once, and lets sent work finish", async () => {
    const engine = await startEngine();
    const state = await engine.createState([1, 2]);
    const reading = state.read();
    await Promise.all([engine[Symbol.asyncDispose](), engine[Symbol.asyncDispose]()]);
    expect(await reading).toEqual(new Float32Array(2));
  });

  it("refuses what cannot be sent and goes on", async () => {
    await using engine = await startEngine();
    const state = await engine.createState([1, 2]);
    const gone = new Float32Array(2);
    structuredClone(gone, { transfer: [gone.buffer] });
    await expect(state.write(gone, 0)).rejects.toThrow();
    expect(await state.read()).toEqual(new Float32Array(2));
  });
});
