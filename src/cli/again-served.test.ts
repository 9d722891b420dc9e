/** @file `nextstep again` with files of the server, which may show something else than their recipe draws. */
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import sharp from "sharp";
import { afterAll, beforeAll, expect, it } from "vitest";
import { openSafetensors } from "../files/safetensors-files.ts";
import { Model } from "../generate/model.ts";
import { nodePlatform } from "../node/platform.ts";
import type { DrawRequest } from "../serve/contract/draw-request.ts";
import { storePicture } from "../serve/draw/finished-picture.ts";
import { drawOptionsOf, pasteBackOf } from "../serve/draw/prepare-drawing.ts";
import { FolderStore } from "../serve/store/folder-store.ts";
import { floatsOf } from "../tensor/float-bytes.ts";
import { toFloat32 } from "../tensor/tensor.ts";
import { runAgain } from "./draw.ts";
import { testTerminal } from "./test-terminal.ts";

const MODEL = fileURLToPath(new URL("../../test/parity/models/v1.1", import.meta.url));
const size = { width: 64, height: 64 };

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "nextstep-again-"));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

/** A picture in two colours: the left half, and the rest. */
function halves(left: string, right: string): Promise<Buffer> {
  const half = { create: { width: 32, height: 64, channels: 3, background: left } } as const;
  return sharp({ create: { ...size, channels: 3, background: right } })
    .composite([{ input: half, left: 0, top: 0 }])
    .png()
    .toBuffer();
}

/** As the server draws and stores it. */
async function served(
  change: (put: (bytes: Uint8Array) => Promise<string>) => Promise<Partial<DrawRequest>>,
) {
  await using store = await FolderStore.open(join(folder, "store"));
  await using model = await Model.open(nodePlatform, MODEL, { threads: 1 });
  const request: DrawRequest = {
    ...{ task: "edit", prompt: "rain", count: 1, seed: 3, native: size, asked: size },
    settings: { steps: 2, cfg: 2 },
    ...{ readImages: false, pasteBack: true, think: false, previews: 0 },
    output: { format: "png", quality: 90 },
    ...{ images: [], ground: null },
    ...(await change((bytes) => store.put(bytes))),
  };
  const sources = { blobs: store, gallery: { get: async () => undefined } };
  const signal = new AbortController().signal;
  const [picture] = await model.draw(request.prompt, await drawOptionsOf(request, model, sources, signal));
  if (picture === undefined) throw new Error("nothing was drawn");
  const paste = await pasteBackOf(request, model, sources);
  const { blob } = await storePicture(picture, 0, request, paste, store);
  const file = join(folder, "served.png");
  await writeFile(file, (await store.get(blob)) ?? "");
  return { file, tokens: picture.tokens, png: await picture.toPng() };
}

async function again(file: string, image?: string) {
  const [out, saveTokens] = [join(folder, "again.png"), join(folder, "again.safetensors")];
  const terminal = testTerminal();
  const common = { model: MODEL, threads: 1, saveTokens, preview: false };
  const own = image === undefined ? {} : { image: [image] };
  await runAgain(file, { ...common, ...own, out: { kind: "file", path: out } }, terminal);
  const tensors = await openSafetensors(saveTokens);
  const tokens = toFloat32(await tensors.readTensor("tokens"));
  await tensors.close();
  return { err: terminal.written.err(), tokens, png: new Uint8Array(await readFile(out)) };
}

it("draws what was brushed and resampled once more, and says what the file shows else", async () => {
  const before = await served(async (put) => ({
    images: [await put(await halves("#204060", "#e0c080"))],
    ground: { kind: "mask", mask: await put(await halves("#000", "#fff")), opens: "white" },
    asked: { width: 96, height: 96 },
  }));
  const after = await again(before.file);
  expect(floatsOf(new Uint8Array(after.tokens.buffer))).toEqual(before.tokens);
  expect(after.png).toEqual(before.png);
  expect(after.err).toContain("served.png was resampled to 96x96; it is drawn again in 64x64");
  expect(after.err).toContain("served.png has its source's exact pixels where cells were kept");
});

it("takes the source of a brushed picture that the model has read, whatever size it has", async () => {
  const source = join(folder, "source.png");
  await writeFile(
    source,
    await sharp(await halves("#204060", "#e0c080"))
      .resize(90, 70, { fit: "fill" })
      .png()
      .toBuffer(),
  );
  const before = await served(async (put) => ({
    images: [await put(await readFile(source))],
    readImages: true,
    ground: { kind: "mask", mask: await put(await halves("#000", "#fff")), opens: "white" },
  }));
  await expect(again(before.file)).rejects.toThrow(/needs its 1 input images.*give the same images/s);
  const after = await again(before.file, source);
  expect(after.png).toEqual(before.png);
});

it("says of a whole picture nothing of the kind", async () => {
  const before = await served(async () => ({}));
  const after = await again(before.file);
  expect(after.png).toEqual(before.png);
  expect(after.err).not.toContain("served.png");
});
