import sharp from "sharp";
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { decodeImage } from "../../files/decode-image.ts";
import { Model } from "../../generate/model.ts";
import { testModelPath } from "../../generate/test-models.ts";
import type { RgbImage } from "../../image/pixels.ts";
import { nodePlatform } from "../../node/platform.ts";
import { floatsOf } from "../../tensor/float-bytes.ts";
import type { DrawRequest } from "../contract/draw-request.ts";
import type { GalleryEntry, NewPicture } from "../contract/gallery.ts";
import { storePicture } from "./finished-picture.ts";
import { drawOptionsOf, pasteBackOf } from "./prepare-drawing.ts";
import { MemoryBlobs, MemoryDesk, requestOf } from "./test-rooms.ts";

const px = (width: number, height: number) => ({ width, height });
const never = new AbortController().signal;

let model: Model;
let blobs: MemoryBlobs;
let gallery: MemoryDesk;
beforeAll(async () => {
  model = await Model.open(nodePlatform, testModelPath("v1.1"), { threads: 1 });
});
afterAll(() => model.close());
beforeEach(() => {
  blobs = new MemoryBlobs();
  gallery = new MemoryDesk();
});

/** Colours that differ from pixel to pixel. */
function photo(width: number, height: number): RgbImage {
  const data = Uint8Array.from({ length: 3 * width * height }, (_, i) => (i * 37 + (i >> 5)) % 256);
  return { width, height, data };
}

async function put({ width, height, data }: RgbImage): Promise<string> {
  return blobs.put(
    await sharp(data, { raw: { width, height, channels: 3 } })
      .png()
      .toBuffer(),
  );
}

/** Opaque black but for a rectangle. */
async function putMask(
  size: { width: number; height: number },
  rectangle: { left: number; top: number; width: number; height: number },
  inside: { r: number; g: number; b: number; alpha: number },
  outside = { r: 0, g: 0, b: 0, alpha: 1 },
): Promise<string> {
  const { left, top, width, height } = rectangle;
  const pixels = Buffer.alloc(4 * size.width * size.height);
  for (let y = 0; y < size.height; y++) {
    for (let x = 0; x < size.width; x++) {
      const isIn = x >= left && x < left + width && y >= top && y < top + height;
      const { r, g, b, alpha } = isIn ? inside : outside;
      pixels.set([r, g, b, 255 * alpha], 4 * (y * size.width + x));
    }
  }
  const raw = { ...size, channels: 4 } as const;
  return blobs.put(await sharp(pixels, { raw }).png().toBuffer());
}

const sources = () => ({ blobs, gallery });
const optionsOf = (request: DrawRequest) => drawOptionsOf(request, model, sources(), never);

async function draw(request: DrawRequest): Promise<NewPicture[]> {
  const pictures = await model.draw(request.prompt, await optionsOf(request));
  const paste = await pasteBackOf(request, model, sources());
  return Promise.all(pictures.map((picture, index) => storePicture(picture, index, request, paste, blobs)));
}

const imageOf = async ({ blob }: NewPicture): Promise<RgbImage> =>
  decodeImage((await blobs.get(blob)) as Uint8Array, "answer");
const tokensOf = async ({ tokens }: NewPicture) => floatsOf((await blobs.get(tokens)) as Uint8Array);

/** Pixels of one picture that are not those of another. */
function differing(one: RgbImage, other: RgbImage): number[] {
  return Array.from({ length: one.width * one.height }, (_, pixel) => pixel).filter((pixel) =>
    [0, 1, 2].some((channel) => one.data[3 * pixel + channel] !== other.data[3 * pixel + channel]),
  );
}

describe("a mask", () => {
  const size = px(64, 48);
  const middle = { left: 20, top: 20, width: 20, height: 10 };
  /** Columns 1 and 2 of row 1: 20 to 39 of 16-pixel tokens. */
  const opened = [5, 6];
  const masked = async (mask: string, opens: "transparent" | "white" | "black", change = {}) =>
    requestOf({
      native: size,
      asked: size,
      task: "edit",
      images: [await put(photo(64, 48))],
      ground: { kind: "mask", mask, opens },
      ...change,
    });
  const clear = { r: 9, g: 9, b: 9, alpha: 0 };
  const white = { r: 255, g: 255, b: 255, alpha: 1 };
  const black = { r: 0, g: 0, b: 0, alpha: 1 };

  it.each([
    ["transparent", clear, black],
    ["transparent", clear, white],
    ["white", white, black],
    ["white", white, clear],
    ["black", black, white],
    ["black", black, clear],
  ] as const)("opens what is %s", async (opens, inside, outside) => {
    const { keep } = await optionsOf(await masked(await putMask(size, middle, inside, outside), opens));
    const kept = [...(keep?.mask ?? [])];
    expect(kept).toEqual(kept.map((_, cell) => (opened.includes(cell) ? 0 : 1)));
  });

  it("keeps the source's tokens outside, and its exact pixels in the answer", async () => {
    const request = await masked(await putMask(size, middle, clear), "transparent", { count: 2 });
    const [first, second] = (await draw(request)) as [NewPicture, NewPicture];
    const { tokens } = await model.encode(photo(64, 48));
    for (const picture of [first, second]) {
      const drawn = await tokensOf(picture);
      for (let cell = 0; cell < 12; cell++) {
        const [own, source] = [drawn, tokens].map((all) => all.subarray(64 * cell, 64 * (cell + 1)));
        if (opened.includes(cell)) expect(own).not.toEqual(source);
        else expect(own).toEqual(source);
      }
      const changed = differing(await imageOf(picture), photo(64, 48));
      expect(changed.length).toBeGreaterThan(100);
      for (const pixel of changed) {
        const [x, y] = [pixel % 64, Math.floor(pixel / 64)];
        expect(x >= 20 && x < 40 && y >= 20 && y < 30).toBe(true);
      }
    }
    expect(await tokensOf(first)).not.toEqual(await tokensOf(second));
    const file = (await blobs.get(first.blob)) as Uint8Array;
    expect(new TextDecoder("latin1").decode(file)).toContain("compositeWithTrainedAlgorithmicMedia");
  });

  it("is not pasted over where that is not wished", async () => {
    const request = await masked(await putMask(size, middle, clear), "transparent", { pasteBack: false });
    const [picture] = await draw(request);
    expect(differing(await imageOf(picture as NewPicture), photo(64, 48)).length).toBeGreaterThan(2000);
  });

  it("lies on the answer where the picture is drawn in another size", async () => {
    const request = await masked(await putMask(px(64, 48), middle, clear), "transparent", {
      native: px(32, 32),
      asked: px(64, 48),
    });
    // Of 2 x 2 tokens all have a part of it.
    expect([...((await optionsOf(request)).keep?.mask ?? [])]).toEqual([0, 0, 0, 0]);
    const corner = { left: 40, top: 30, width: 4, height: 4 };
    const small = { ...request, ground: { ...request.ground, mask: await putMask(size, corner, clear) } };
    expect([...((await optionsOf(small as DrawRequest)).keep?.mask ?? [])]).toEqual([1, 1, 1, 0]);
    const [picture] = await draw(small as DrawRequest);
    for (const pixel of differing(await imageOf(picture as NewPicture), photo(64, 48))) {
      const [x, y] = [pixel % 64, Math.floor(pixel / 64)];
      expect(x >= 40 && x < 44 && y >= 30 && y < 34).toBe(true);
    }
  });

  it("that opens nothing is refused by name", async () => {
    const request = await masked(await putMask(size, middle, white, white), "transparent");
    await expect(optionsOf(request)).rejects.toThrow("mask: opens nothing");
  });
});

describe("a place", () => {
  it("keeps the picture there, and draws around it", async () => {
    const request = requestOf({
      native: px(64, 48),
      asked: px(64, 48),
      task: "edit",
      images: [await put(photo(40, 32))],
      ground: { kind: "place", left: 1, top: 0 },
    });
    const [picture] = (await draw(request)) as [NewPicture];
    // Two of two and a half tokens are covered whole.
    const shown = photo(40, 32);
    const cut = { width: 32, height: 32, data: new Uint8Array(3 * 32 * 32) };
    for (let y = 0; y < 32; y++) cut.data.set(shown.data.subarray(120 * y, 120 * y + 96), 96 * y);
    const { tokens } = await model.encode(cut);
    const drawn = await tokensOf(picture);
    const cells = [1, 2, 5, 6];
    cells.forEach((cell, index) => {
      expect(drawn.subarray(64 * cell, 64 * (cell + 1))).toEqual(
        tokens.subarray(64 * index, 64 * (index + 1)),
      );
    });
    const answer = await imageOf(picture);
    for (let y = 0; y < 32; y++) {
      const row = answer.data.subarray(3 * (64 * y + 16), 3 * (64 * y + 56));
      expect(row).toEqual(shown.data.subarray(120 * y, 120 * (y + 1)));
    }
  });
});

describe("rows of a picture of the gallery", () => {
  const size = px(48, 48);
  const plain = requestOf({ native: size, asked: size });

  async function entry(request: DrawRequest): Promise<GalleryEntry> {
    const [picture] = (await draw(request)) as [NewPicture];
    const made = { ...picture, id: "one", job: "job", owner: null, created: 0, request };
    gallery.entries.set(made.id, made);
    return made;
  }

  it("stay as they are, and the rest is another's", async () => {
    const before = await tokensOf(await entry(plain));
    const ground = { kind: "rows", picture: "one", rows: 2 } as const;
    const [picture] = (await draw({ ...plain, ground, prompt: "fog", seed: 9 })) as [NewPicture];
    const after = await tokensOf(picture);
    expect(after.subarray(0, 6 * 64)).toEqual(before.subarray(0, 6 * 64));
    expect(after.subarray(6 * 64)).not.toEqual(before.subarray(6 * 64));
    // With the same prompt and seed it comes out as it was.
    const [same] = (await draw({ ...plain, ground })) as [NewPicture];
    expect(await tokensOf(same)).toEqual(before);
  });

  it("may be none", async () => {
    const before = await tokensOf(await entry(plain));
    const [picture] = (await draw({ ...plain, ground: { kind: "rows", picture: "one", rows: 0 } })) as [
      NewPicture,
    ];
    expect(await tokensOf(picture)).toEqual(before);
  });

  it("are refused where they do not fit, or are not there", async () => {
    await entry(plain);
    const from = (rows: number, change: Partial<DrawRequest> = {}, picture = "one") =>
      optionsOf({ ...plain, ...change, ground: { kind: "rows", picture, rows } });
    await expect(from(4)).rejects.toThrow("from: has 3 rows, not 4");
    await expect(from(1, { native: px(32, 48) })).rejects.toThrow("from: was drawn in 48x48");
    await expect(from(1, {}, "other")).rejects.toThrow("from: is not in the gallery any more");
  });
});

describe("pictures that are shown", () => {
  it("are fitted: the first to what is drawn, others to the nearest bucket", async () => {
    const images = [await put(photo(50, 40)), await put(photo(100, 20))];
    const request = requestOf({ native: px(48, 32), asked: px(50, 40), images, readImages: true });
    const { images: shown = [] } = await optionsOf(request);
    const sizes = (shown as RgbImage[]).map(({ width, height }) => [width, height]);
    expect(sizes[0]).toEqual([48, 32]);
    expect((sizes[1]?.[0] ?? 0) / (sizes[1]?.[1] ?? 1)).toBeGreaterThanOrEqual(3);
    for (const side of sizes.flat()) expect(side % 16).toBe(0);
  });
});
