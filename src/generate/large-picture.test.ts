import { afterAll, beforeAll, expect, it, vi } from "vitest";
import { toPlanes } from "../image/pixels.ts";
import { isComputedAtOnce } from "../model/autoencoder-memory.ts";
import { open } from "../node/open-model.ts";
import { decodePicture, encodePicture } from "./image-coder.ts";
import { openTestSessions, testModelPath } from "./test-models.ts";

// As if pictures were larger than they are.
vi.mock("../model/autoencoder-memory.ts", { spy: true });
const atOnce = vi.mocked(isComputedAtOnce);

let opened: Awaited<ReturnType<typeof openTestSessions>>;
beforeAll(async () => {
  opened = await openTestSessions("v1.1");
});
afterAll(() => opened[Symbol.asyncDispose]());

function furthest(a: Float32Array, b: Float32Array): number {
  expect(a.length).toBe(b.length);
  return a.reduce((most, value, i) => Math.max(most, Math.abs(value - (b[i] as number))), 0);
}

it("is encoded and decoded in bands, to what it is at once", async () => {
  const { sessions } = opened;
  const [height, width] = [32, 48];
  const data = Uint8Array.from({ length: 3 * height * width }, (_, i) => (i * 7) % 256);
  const planes = toPlanes({ width, height, data });
  const whole = await encodePicture(sessions, planes, [height, width]);
  const decoded = await decodePicture(sessions, whole.tokens, [2, 3]);
  atOnce.mockReturnValue(false);
  const [encoder, decoder] = [vi.spyOn(sessions, "encoder"), vi.spyOn(sessions, "decoder")];
  const parts: number[] = [];
  const banded = await encodePicture(sessions, planes, [height, width]);
  const again = await decodePicture(sessions, whole.tokens, [2, 3], undefined, (part) => parts.push(part));
  atOnce.mockRestore();
  expect([encoder, decoder].map(({ mock }) => mock.calls.length)).toEqual([0, 0]);
  // float32 rounding of some 30 layers.
  expect(furthest(banded.tokens, whole.tokens)).toBeLessThan(5e-4);
  expect(furthest(again.planes, decoded.planes)).toBeLessThan(5e-5);
  expect(again.latents).toEqual(decoded.latents);
  expect(again.pixels).toMatchObject({ height, width });
  expect(parts.at(-1)).toBeCloseTo(1);
});

it("tells how far its decoding is, of all pictures of a drawing", async () => {
  await using model = await open(testModelPath("v1.1"), { threads: 1 });
  const options = { size: { width: 32, height: 16 }, steps: 2, cfg: 1, count: 2, seed: 1 } as const;
  const small = model.start("rain", options);
  const none = [];
  for await (const progress of small.decoding()) none.push(progress);
  expect(none).toEqual([]);
  atOnce.mockReturnValue(false);
  const large = model.start("rain", options);
  const told: number[] = [];
  for await (const { done, of } of large.decoding()) {
    expect(of).toBe(2);
    told.push(done);
  }
  atOnce.mockRestore();
  expect(told).toEqual([...told].sort((a, b) => a - b));
  expect(told.some((done) => done > 0 && done < 1)).toBe(true);
  expect(told.at(-1)).toBeCloseTo(2);
  const [first] = await small.pictures();
  const [second] = await large.pictures();
  expect(furthest(second?.planes as Float32Array, first?.planes as Float32Array)).toBeLessThan(5e-5);
});
