/** @file What a thing is learnt from: captions of pictures with and without their own. */
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, it } from "vitest";
import { InputError } from "../../errors.ts";
import { nodeZlib } from "../../files/zlib.ts";
import { encodePng } from "../../image/encode-png.ts";
import { TarDataset } from "../data/dataset-reader.ts";
import { FEWEST_PICTURES, writeOwnData } from "./learn-data.ts";

const SIDE = 16;
let root = "";

beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), "nextstep-learn-"));
  await mkdir(join(root, "pictures"));
  for (let index = 0; index < FEWEST_PICTURES; index++) {
    const ground = index === 0 ? [66, 122, 220] : index === 1 ? [86, 176, 88] : [255, 255, 255];
    const data = new Uint8Array(3 * SIDE * SIDE).map((_, i) => ground[i % 3]!);
    const png = await encodePng({ width: SIDE, height: SIDE, data }, nodeZlib);
    await writeFile(join(root, "pictures", `${index}.png`), png);
  }
  await writeFile(join(root, "pictures", "2.txt"), "my mug, full");
  await writeFile(join(root, "pictures", "3.txt"), "a cup");
});
afterAll(() => rm(root, { recursive: true }));

it("names plain backgrounds whose colour the model knows, and takes captions that are there", async () => {
  const target = join(root, "own");
  const own = await writeOwnData(join(root, "pictures"), "my mug", target, new Set(["blue", "white"]));
  expect(own).toMatchObject({ pictures: FEWEST_PICTURES, captioned: 2, without: ["3.png"], passedOver: [] });
  await using data = await TarDataset.open(target);
  const captions: unknown[] = [];
  for (let index = 0; index < data.length; index++)
    captions.push((await data.textAt(index)).captions[0]?.text);
  expect(captions.slice(0, 5)).toEqual([
    "my mug on a blue background",
    "my mug",
    "my mug, full",
    "a cup",
    "my mug",
  ]);
});

/** Red squares on white: one on the left, then small ones up to `small`, then large ones in the middle. */
async function placedPictures(small: number): Promise<string> {
  const folder = join(root, `placed-${small}`);
  await mkdir(folder);
  for (let index = 0; index < FEWEST_PICTURES; index++) {
    const data = new Uint8Array(3 * SIDE * SIDE).fill(255);
    const [left, side] = index === 0 ? [1, 6] : index < small ? [5, 6] : [2, 12];
    for (let y = (SIDE - side) / 2; y < (SIDE + side) / 2; y++) {
      for (let x = left; x < left + side; x++) data.set([200, 20, 20], 3 * (y * SIDE + x));
    }
    await writeFile(
      join(folder, `${index}.png`),
      await encodePng({ width: SIDE, height: SIDE, data }, nodeZlib),
    );
  }
  return folder;
}

it("says where a small thing stands, in words that the model knows, beside some that show it large", async () => {
  const captionsOf = async (folder: string, known: readonly string[]) => {
    const target = `${folder}-${known.length}`;
    await writeOwnData(folder, "my mug", target, new Set(known));
    await using packed = await TarDataset.open(target);
    const shown = await Promise.all([0, 1, 7].map((index) => packed.textAt(index)));
    return shown.map(({ captions }) => captions.map(({ text }) => text).slice(0, 2));
  };
  const known = ["on", "the", "left", "small", "tiny"];
  const plain = ["my mug", "a picture of my mug"];
  const some = await placedPictures(5);
  expect(await captionsOf(some, known)).toEqual([
    ["my mug on the left"],
    ["small my mug", "tiny my mug"],
    plain,
  ]);
  expect(await captionsOf(some, ["the"])).toEqual([plain, plain, plain]);
  expect(await captionsOf(await placedPictures(6), known)).toEqual([plain, plain, plain]);
});

it("refuses too few pictures", async () => {
  await mkdir(join(root, "few"));
  await expect(writeOwnData(join(root, "few"), "my mug", join(root, "none"), new Set())).rejects.toThrow(
    InputError,
  );
});
