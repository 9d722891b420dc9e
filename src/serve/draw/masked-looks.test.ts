import sharp from "sharp";
import { afterAll, beforeAll, expect, it } from "vitest";
import { decodeImage } from "../../files/decode-image.ts";
import { Model } from "../../generate/model.ts";
import { testModelPath } from "../../generate/test-models.ts";
import { nodePlatform } from "../../node/platform.ts";
import type { DrawGround } from "../contract/draw-request.ts";
import { MemoryBlobs, MemoryDesk, requestOf } from "./test-rooms.ts";
import { createWorker } from "./worker.ts";

const SIDE = 64;
const size = { width: SIDE, height: SIDE };
let model: Model;
beforeAll(async () => {
  model = await Model.open(nodePlatform, testModelPath("v1.1"), { threads: 1 });
});
afterAll(() => model.close());

/** Pixels by row and column. */
async function png(width: number, height: number, shade: (x: number, y: number) => number): Promise<Buffer> {
  const data = Uint8Array.from({ length: 3 * width * height }, (_, at) => {
    const pixel = Math.floor(at / 3);
    return shade(pixel % width, Math.floor(pixel / width));
  });
  return sharp(data, { raw: { width, height, channels: 3 } })
    .png()
    .toBuffer();
}

const shade = (x: number, y: number): number => (x * 5 + y * 3) % 256;

it.each([
  ["a mask", { width: SIDE, height: SIDE }, (x: number) => x >= SIDE / 2],
  ["a place", { width: SIDE / 2, height: SIDE }, (x: number) => x < SIDE / 2],
] as const)(
  "looks show the source's exact pixels where %s keeps them, below what is drawn too",
  async (kind, of, isOpen) => {
    const blobs = new MemoryBlobs();
    const desk = new MemoryDesk(blobs);
    const image = await blobs.put(await png(of.width, of.height, shade));
    const mask = await blobs.put(await png(SIDE, SIDE, (x) => (isOpen(x) ? 255 : 0)));
    const ground: DrawGround =
      kind === "a mask" ? { kind: "mask", mask, opens: "white" } : { kind: "place", left: 2, top: 0 };
    const job = desk.submit(
      requestOf({ native: size, asked: size, task: "edit", images: [image], ground, previews: 1 }),
    );
    const open = async (): Promise<Model> => model;
    const worker = createWorker({ name: "w", model: "test", open, desk, blobs, gallery: desk, maxBatch: 1 });
    await desk.until(job);
    await worker.drain(AbortSignal.abort());
    expect(job.status).toBe("finished");
    expect(job.previews.map(({ rows }) => rows)).toEqual([2]);
    const look = await decodeImage((await blobs.get(job.previews[0]?.blobs[0] ?? "")) as Uint8Array, "look");
    const left = kind === "a mask" ? 0 : SIDE / 2;
    let drawn = 0;
    for (let y = 0; y < SIDE; y++) {
      for (let x = 0; x < SIDE; x++) {
        const value = look.data[3 * (y * SIDE + x)];
        if (!isOpen(x)) expect(value).toBe(shade(x - left, y));
        else if (y >= SIDE / 2) expect(value).toBe(128);
        else if (value !== shade(x, y)) drawn++;
      }
    }
    expect(drawn).toBeGreaterThan(500);
  },
);
