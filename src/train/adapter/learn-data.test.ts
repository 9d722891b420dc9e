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

it("refuses too few pictures", async () => {
  await mkdir(join(root, "few"));
  await expect(writeOwnData(join(root, "few"), "my mug", join(root, "none"), new Set())).rejects.toThrow(
    InputError,
  );
});
