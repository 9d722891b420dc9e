import { afterAll, beforeAll, expect, it } from "vitest";
import { AbortedError } from "../errors.ts";
import { toPlanes } from "../image/pixels.ts";
import { decodePicture, encodePicture, pixelsPerToken, previewPicture } from "./image-coder.ts";
import { openTestSessions } from "./test-models.ts";

let opened: Awaited<ReturnType<typeof openTestSessions>>;
beforeAll(async () => {
  opened = await openTestSessions("v1.1");
});
afterAll(() => opened[Symbol.asyncDispose]());

const tokens = (count: number) => Float32Array.from({ length: count * 64 }, (_, i) => Math.sin(i * 1.3));

it("turns pictures of any size into one token for every 16 x 16 pixels, and back", async () => {
  const { sessions } = opened;
  expect(pixelsPerToken(sessions)).toBe(16);
  const [height, width] = [32, 80];
  const data = Uint8Array.from({ length: 3 * height * width }, (_, i) => (i * 7) % 256);
  const encoded = await encodePicture(sessions, toPlanes({ width, height, data }), [height, width]);
  expect(encoded.tokens.length).toBe(2 * 5 * 64);
  const decoded = await decodePicture(sessions, encoded.tokens, [2, 5]);
  expect([decoded.pixels.height, decoded.pixels.width]).toEqual([height, width]);
  expect(decoded.planes.length).toBe(3 * height * width);
  // What the decoder is given is what the encoder gave, scaled and shifted back: normalised tokens.
  const { scalingFactor, shiftFactor } = sessions.autoencoder.config;
  expect([scalingFactor, shiftFactor]).not.toEqual([1, 0]);
  decoded.latents.forEach((value, i) => {
    expect((value - shiftFactor) * scalingFactor).toBeCloseTo(encoded.latents[i] as number, 4);
  });
});

it("shows finished rows of tokens over grey", async () => {
  const { sessions } = opened;
  const all = tokens(6);
  const grey = new Uint8Array(3 * 48 * 32).fill(128);
  expect((await previewPicture(sessions, all.subarray(0, 64), [3, 2])).data).toEqual(grey);
  const preview = await previewPicture(sessions, all.subarray(0, 5 * 64), [3, 2]);
  const { pixels } = await decodePicture(sessions, all.subarray(0, 4 * 64), [2, 2]);
  expect([preview.height, preview.width]).toEqual([48, 32]);
  expect(preview.data.subarray(0, pixels.data.length)).toEqual(pixels.data);
  expect(preview.data.subarray(pixels.data.length).every((value) => value === 128)).toBe(true);
  const whole = await decodePicture(sessions, all, [3, 2]);
  expect((await previewPicture(sessions, all, [3, 2])).data).toEqual(whole.pixels.data);
});

it("does not show a picture of numbers that are not finite", async () => {
  const broken = tokens(2).fill(Number.NaN, 70, 71);
  await expect(decodePicture(opened.sessions, broken, [1, 2])).rejects.toThrow(/not finite/);
});

it("stops waiting for a picture when it is cancelled", async () => {
  const abort = new AbortController();
  const decoding = decodePicture(opened.sessions, tokens(4), [2, 2], abort.signal);
  abort.abort();
  await expect(decoding).rejects.toThrow(AbortedError);
});

it("says that a model without an autoencoder draws no pictures", async () => {
  await using other = await openTestSessions("train");
  await expect(decodePicture(other.sessions, tokens(1), [1, 1])).rejects.toThrow(/has no autoencoder/);
});
