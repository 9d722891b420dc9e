import { execFile } from "node:child_process";
import { promisify } from "node:util";
import { afterAll, describe, expect, it } from "vitest";
import { EngineError, InputError } from "../../errors.ts";
import { writeOnnx } from "../../graph/onnx-writer.ts";
import { add } from "../../graph/operators/elementwise.ts";
import { linear } from "../../graph/operators/matmul.ts";
import { input, parameter } from "../../graph/value.ts";
import type { Engine, HostTensor } from "../engine.ts";
import { LocalEngine } from "./local-engine.ts";
import { WorkerEngine } from "./worker-engine.ts";

const x = input("x", "float32", ["rows", 2]);
const past = input("past", "float32", ["rows", "past", 2]);
const model = writeOnnx(
  { y: linear(x, parameter("w", [3, 2]), parameter("b", [3])), doubled: add(past, past) },
  { parameters: "initializers" },
);
const WEIGHTS: Record<string, Float32Array> = {
  w: Float32Array.of(1, 2, 3, 4, 5, 6),
  b: Float32Array.of(10, 20, 30),
};
const floats = (shape: number[], values: number[]): HostTensor => ({
  dtype: "float32",
  shape,
  data: Float32Array.from(values),
});

const engines: [string, () => Engine][] = [
  ["local", () => new LocalEngine({ threads: 1 })],
  ["worker", () => WorkerEngine.create({ threads: 1 })],
];

describe.each(engines)("%s engine", (_, create) => {
  const engine = create();
  afterAll(() => engine[Symbol.asyncDispose]());
  const session = engine.createSession(model, ({ name }) => WEIGHTS[name] as Float32Array);

  it("runs a graph with its weights", async () => {
    const { y } = await (await session).run(
      { x: floats([2, 2], [1, 0, 0, 1]), past: floats([2, 0, 2], []) },
      { fetch: ["y"] },
    );
    expect(y).toEqual(floats([2, 3], [11, 23, 35, 12, 24, 36]));
  });

  it("reads views and shared memory as plain data", async () => {
    const shared = new Float32Array(new SharedArrayBuffer(8));
    shared.set([1, 1]);
    const view = Float32Array.of(9, 9, 0, 1).subarray(2);
    const none = floats([1, 0, 2], []);
    const run = async (data: Float32Array) =>
      (await (await session).run({ x: { ...floats([1, 2], []), data }, past: none }, { fetch: ["y"] })).y
        ?.data;
    expect(await run(view)).toEqual(Float32Array.of(12, 24, 36));
    if (engine instanceof WorkerEngine) expect(await run(shared)).toEqual(Float32Array.of(13, 27, 41));
  });

  it("keeps states, stores outputs in them and lets them grow", async () => {
    const state = await engine.createState([2, 4, 2]);
    await state.write(Float32Array.of(1, 2), 2);
    await (await session).run(
      { x: floats([2, 2], [0, 0, 0, 0]), past: floats([2, 1, 2], [1, 2, 3, 4]) },
      { fetch: [], store: [{ output: "doubled", state, axis: 1, starts: [2, 0] }] },
    );
    const expected = [0, 0, 1, 2, 2, 4, 0, 0, 6, 8, 0, 0, 0, 0, 0, 0];
    expect([...(await state.read())]).toEqual(expected);
    const { doubled } = await (await session).run(
      { x: floats([2, 2], [0, 0, 0, 0]), past: state },
      { fetch: ["doubled"] },
    );
    expect([...(doubled as HostTensor).data]).toEqual(expected.map((value) => 2 * value));
    const grown = await engine.createState([3, 5, 2], { state, rows: [1, 0, 1] });
    const second = [6, 8, 0, 0, 0, 0, 0, 0, 0, 0];
    expect([...(await grown.read())]).toEqual([...second, 0, 0, 1, 2, 2, 4, 0, 0, 0, 0, ...second]);
    const smaller = await engine.createState([1, 3, 2], { state });
    expect([...(await smaller.read())]).toEqual([0, 0, 1, 2, 2, 4]);
    await state.dispose();
  });

  it("refuses with typed errors", async () => {
    const opened = await session;
    await expect(opened.run({ x: floats([1, 3], [1, 2, 3]) })).rejects.toThrow(InputError);
    await expect(engine.createSession(model, () => new Float32Array(1))).rejects.toThrow(
      /expects 3 elements/,
    );
    await expect(engine.createSession(model)).rejects.toThrow(InputError);
    const broken = { ...model, bytes: Uint8Array.of(1, 2, 3) };
    await expect(engine.createSession(broken, ({ name }) => WEIGHTS[name] as Float32Array)).rejects.toThrow(
      EngineError,
    );
  });

  it("refuses a state of another engine", async () => {
    await using other = engine instanceof LocalEngine ? WorkerEngine.create() : new LocalEngine();
    const state = await other.createState([1, 1, 2]);
    await expect((await session).run({ x: floats([1, 2], [1, 2]), past: state })).rejects.toThrow(
      /another engine/,
    );
  });
});

describe("worker engine", () => {
  it("leaves the caller's event loop alive and answers in order", async () => {
    await using engine = WorkerEngine.create({ threads: 1 });
    const session = await engine.createSession(model, ({ name }) => WEIGHTS[name] as Float32Array);
    const big = { x: floats([1, 2], [0, 0]), past: floats([1, 2_000_000, 2], new Array(4_000_000).fill(1)) };
    let ticks = 0;
    const timer = setInterval(() => ticks++, 1);
    // Once more where the machine had this thread wait for as long as the runs took. A thread that is blocked by them never ticks.
    for (let round = 0; round < 20 && ticks <= 2; round++) {
      ticks = 0;
      const order: number[] = [];
      const runs = [0, 1, 2].map(async (index) => {
        await session.run(big, { fetch: ["doubled"] });
        order.push(index);
      });
      await Promise.all(runs);
      expect(order).toEqual([0, 1, 2]);
    }
    clearInterval(timer);
    expect(ticks).toBeGreaterThan(2);
  });

  it("uses weights in shared memory and refuses work after disposal", async () => {
    const engine = WorkerEngine.create({ threads: 1 });
    const session = await engine.createSession(model, ({ name }) => {
      const data = WEIGHTS[name] as Float32Array;
      const shared = new Float32Array(new SharedArrayBuffer(data.byteLength));
      shared.set(data);
      return shared;
    });
    const feeds = { x: floats([1, 2], [1, 1]), past: floats([1, 0, 2], []) };
    const { y } = await session.run(feeds, { fetch: ["y"] });
    expect(y?.data).toEqual(Float32Array.of(13, 27, 41));
    await engine[Symbol.asyncDispose]();
    await engine[Symbol.asyncDispose]();
    await expect(session.run(feeds)).rejects.toThrow(/disposed/);
  });

  it.each(["", "await engine[Symbol.asyncDispose]();", "process.exit(0);"])(
    "lets the process end: %j",
    async (ending) => {
      const here = (path: string) => JSON.stringify(new URL(path, import.meta.url).href);
      const script = `
        import { WorkerEngine } from ${here("./worker-engine.ts")};
        import { writeOnnx } from ${here("../../graph/onnx-writer.ts")};
        import { input, parameter } from ${here("../../graph/value.ts")};
        import { add } from ${here("../../graph/operators/elementwise.ts")};
        const engine = WorkerEngine.create({});
        const graph = writeOnnx({ y: add(input("x", "float32", [2]), parameter("w", [2])) }, { parameters: "initializers" });
        const session = await engine.createSession(graph, () => Float32Array.of(1, 2));
        const { y } = await session.run({ x: { dtype: "float32", shape: [2], data: Float32Array.of(1, 1) } });
        console.log(y.data.join());
        ${ending}`;
      const run = promisify(execFile)(process.execPath, [
        "--import",
        "tsx",
        "--input-type=module",
        "-e",
        script,
      ]);
      const { stdout, stderr } = await run;
      expect(stdout.trim()).toBe("2,3");
      expect(stderr).toBe("");
    },
  );
});
