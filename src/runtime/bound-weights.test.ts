/** @file Weights from files and memory, in their own and in other types, and files that are not what was said. */
import { execFileSync } from "node:child_process";
import { mkdtemp, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { InputError, ModelFormatError } from "../errors.ts";
import { writeOnnx } from "../graph/onnx-writer.ts";
import { cast } from "../graph/operators/cast.ts";
import { add } from "../graph/operators/elementwise.ts";
import { parameter } from "../graph/value.ts";
import { float32ToBfloat16, float32ToFloat16 } from "../tensor/half.ts";
import { bindAll } from "./bound-weights.ts";
import type { Engine, StoredWeight, WeightRange } from "./engine.ts";
import { LocalEngine } from "./local-engine.ts";
import { WorkerEngine } from "./worker-engine.ts";

const A = Float32Array.of(1, -2, 3.5, 4);
const B = Float32Array.of(0.5, 0.25, -8, 1);
const SUM = Float32Array.of(1.5, -1.75, -4.5, 5);
const sum = writeOnnx({ y: add(parameter("a", [4]), parameter("b", [4])) }, { parameters: "initializers" });
const halves = writeOnnx(
  {
    y: add(cast(parameter("a", [4], "float16"), "float32"), cast(parameter("b", [4], "bfloat16"), "float32")),
  },
  { parameters: "initializers" },
);

/** Offsets in the file of each weight as float32, float16, bfloat16, and of float32 at an odd place. */
const PLACES = { a32: 16, b32: 32, a16: 48, b16: 56, odd: 65 } as const;

let folder: string;
let file: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "weights-"));
  file = join(folder, "weights.bin");
  const bytes = new Uint8Array(PLACES.odd + 16);
  const put = (data: Float32Array | Uint16Array, at: number): void =>
    bytes.set(new Uint8Array(data.buffer, data.byteOffset, data.byteLength), at);
  put(A, PLACES.a32);
  put(B, PLACES.b32);
  put(float32ToFloat16(A), PLACES.a16);
  put(float32ToBfloat16(B), PLACES.b16);
  put(B, PLACES.odd);
  await writeFile(file, bytes);
});
afterAll(() => rm(folder, { recursive: true }));

const range = (
  offset: number,
  dtype: WeightRange["dtype"] = "float32",
  length = dtype === "float32" ? 16 : 8,
) => ({
  file,
  offset,
  dtype,
  length,
});
const from = (a: StoredWeight, b: StoredWeight) => (port: { readonly name: string }) =>
  port.name === "a" ? a : b;

const engines: [string, () => Engine][] = [
  ["local", () => new LocalEngine({ threads: 1, spin: false })],
  ["worker", () => WorkerEngine.create({ threads: 1, spin: false })],
];

describe.each(engines)("weights of the %s engine", (_, create) => {
  const engine = create();
  afterAll(() => engine[Symbol.asyncDispose]());

  it("come from files, from memory and from both, of any float type", async () => {
    const linked = join(folder, `link-${_}`);
    await symlink(file, linked);
    const shared = new Float32Array(new SharedArrayBuffer(16));
    shared.set(A);
    const wide = Float32Array.of(9, ...A).subarray(1);
    const sources: [StoredWeight, StoredWeight][] = [
      [range(PLACES.a32), range(PLACES.b32)],
      [{ ...range(PLACES.a32), file: linked }, range(PLACES.b32)],
      [range(PLACES.a32), range(PLACES.odd)],
      [range(PLACES.a16, "float16"), range(PLACES.b16, "bfloat16")],
      [range(PLACES.a16, "float16"), B],
      [shared, range(PLACES.b32)],
      [wide, { dtype: "bfloat16", data: float32ToBfloat16(B) }],
      [
        { dtype: "float64", data: Float64Array.from(A) },
        { dtype: "float32", data: B },
      ],
    ];
    for (const [a, b] of sources) {
      const session = await engine.createSession(sum, from(a, b));
      expect((await session.run({})).y?.data).toEqual(SUM);
      await session.dispose();
    }
  });

  it("stay as they are stored where the graph takes them so", async () => {
    const sources: [StoredWeight, StoredWeight][] = [
      [range(PLACES.a16, "float16"), range(PLACES.b16, "bfloat16")],
      [
        { dtype: "float16", data: float32ToFloat16(A) },
        { dtype: "bfloat16", data: float32ToBfloat16(B) },
      ],
    ];
    for (const [a, b] of sources) {
      const session = await engine.createSession(halves, from(a, b));
      expect((await session.run({})).y?.data).toEqual(SUM);
    }
    await expect(engine.createSession(halves, from(A, B))).rejects.toThrow(
      /stored as float32, but the graph takes b?float16/,
    );
  });

  it("are refused when a file is not what was said", async () => {
    const refuse = async (weight: StoredWeight, error: typeof InputError | typeof ModelFormatError) =>
      expect(engine.createSession(sum, from(weight, B))).rejects.toThrow(error);
    await refuse({ ...range(PLACES.a32), file: join(folder, "none") }, InputError);
    await refuse({ ...range(PLACES.a32), file: folder }, InputError);
    await refuse(range(PLACES.odd + 4), ModelFormatError);
    await refuse(range(2 ** 52), ModelFormatError);
    await refuse(range(-16), ModelFormatError);
    await refuse(range(0.5), ModelFormatError);
    await refuse(range(PLACES.a32, "float32", 12), InputError);
    await refuse(range(PLACES.a16, "float16", 2 ** 40), ModelFormatError);
    if (process.platform !== "win32") {
      const pipe = join(folder, `pipe-${_}`);
      execFileSync("mkfifo", [pipe]);
      await refuse({ ...range(PLACES.a32), file: pipe }, InputError);
    }
  });
});

describe("bindAll", () => {
  it("leaves weights in their file, and reads none of them", async () => {
    const { places, buffers, folder: root } = await bindAll(sum, from(range(PLACES.a32), range(PLACES.b32)));
    expect(buffers).toEqual([]);
    expect(places.get("b")).toMatchObject({ offset: PLACES.b32, length: 16 });
    expect(`${root}${places.get("b")?.location}`).toBe(file);
  });

  it("reads all of them when one has to be converted", async () => {
    const { buffers, folder: root } = await bindAll(
      sum,
      from(range(PLACES.a16, "float16"), range(PLACES.b32)),
    );
    expect(root).toBeUndefined();
    expect(buffers.map(({ data }) => data.byteLength)).toEqual([16, 16]);
  });
});
