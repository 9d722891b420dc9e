import { expect, it, type MockInstance, vi } from "vitest";
import { AbortedError } from "../errors.ts";
import { decoderPasses, encoderPasses } from "../model/autoencoder-passes.ts";
import { runInBands } from "./banded-autoencoder.ts";
import { PicturePlanes } from "./picture-planes.ts";
import { openTestSessions } from "./test-models.ts";

/** Most passes have several bands then, the last one often shorter; others have one. */
const limits = { band: 14_000, scores: 2500 };

const noise = (length: number) => Float32Array.from({ length }, (_, i) => 2 * Math.sin(i * 1.37 + (i % 11)));

function furthest(a: Float32Array, b: Float32Array): number {
  expect(a.length).toBe(b.length);
  return a.reduce((most, value, i) => Math.max(most, Math.abs(value - (b[i] as number))), 0);
}

// The default model's autoencoder has blocks of pixels.
it.each(["v1", "v1.1", "default"])("decodes and encodes in bands as at once: %s", async (name) => {
  await using opened = await openTestSessions(name);
  const { sessions } = opened;
  const { config } = sessions.autoencoder;
  const [height, width] = [10, 6];
  const latents = noise(config.latentChannels * height * width);
  const shape = [1, config.latentChannels, height, width];
  const decoder = await sessions.decoder();
  const whole = (await decoder.run({ latents: { dtype: "float32", shape, data: latents } })).pixels;
  const pixels = whole?.data as Float32Array;
  const given = PicturePlanes.of(latents, config.latentChannels, height, width);
  const parts: number[] = [];
  const blocks = await runInBands(sessions, decoderPasses(config), given, {
    limits,
    progress: (part) => parts.push(part),
  });
  const decoded = blocks.shuffled(config.pixelShuffle);
  // float32 rounding of some 30 layers; values reach about 1.
  expect(furthest(decoded.joined(), pixels)).toBeLessThan(2e-5);
  expect(parts.length).toBeGreaterThan(40);
  expect(parts).toEqual([...parts].sort((a, b) => a - b));
  expect(parts.at(-1)).toBeCloseTo(1);

  const encoder = await sessions.encoder();
  const planes = { dtype: "float32", shape: whole?.shape ?? [], data: pixels } as const;
  const mean = (await encoder.run({ pixels: planes })).mean?.data as Float32Array;
  const picture = PicturePlanes.of(pixels, config.inChannels, decoded.height, decoded.width);
  const encoded = await runInBands(sessions, encoderPasses(config), picture.unshuffled(config.pixelShuffle), {
    limits,
  });
  const banded = await sessions.latentNorm(encoded.joined().slice(0, mean.length), shape);
  expect(furthest(banded, mean)).toBeLessThan(2e-4);
});

it("stops between two bands when it is cancelled", async () => {
  await using opened = await openTestSessions("v1.1");
  const { config } = opened.sessions.autoencoder;
  const abort = new AbortController();
  const given = PicturePlanes.of(noise(config.latentChannels * 60), config.latentChannels, 10, 6);
  let bands = 0;
  const progress = (): void => {
    bands++;
    if (bands === 3) abort.abort();
  };
  const running = runInBands(opened.sessions, decoderPasses(config), given, {
    limits,
    progress,
    signal: abort.signal,
  });
  await expect(running).rejects.toThrow(AbortedError);
  expect(bands).toBe(3);
});

it.each(["made", "written"])(
  "gives everything back that it is cancelled beside while keys are %s",
  async (moment) => {
    await using opened = await openTestSessions("v1.1");
    const { sessions } = opened;
    const { engine } = sessions;
    const { config } = sessions.autoencoder;
    const abort = new AbortController();
    const disposals: MockInstance[] = [];
    const createSession = engine.createSession.bind(engine);
    vi.spyOn(engine, "createSession").mockImplementation(async (...given) => {
      const session = await createSession(...given);
      disposals.push(vi.spyOn(session, "dispose"));
      return session;
    });
    const createState = engine.createState.bind(engine);
    const states = vi.spyOn(engine, "createState").mockImplementation(async (...given) => {
      if (moment === "made") abort.abort();
      const state = await createState(...given);
      disposals.push(vi.spyOn(state, "dispose"));
      vi.spyOn(state, "write").mockImplementation(async () => abort.abort());
      return state;
    });
    const given = PicturePlanes.of(noise(config.latentChannels * 60), config.latentChannels, 10, 6);
    const running = runInBands(sessions, decoderPasses(config), given, { limits, signal: abort.signal });
    await expect(running).rejects.toThrow(AbortedError);
    expect(states).toHaveBeenCalledTimes(1);
    await vi.waitFor(() => {
      expect(disposals.length).toBeGreaterThan(2);
      for (const dispose of disposals) expect(dispose).toHaveBeenCalledTimes(1);
    });
  },
);
