/** @file Every fault that a data set can have is listed with tar, key and reason, and nothing else is. */
import { mkdir, mkdtemp, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import sharp from "sharp";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { AbortedError, InputError } from "../../errors.ts";
import { TarFile } from "../../files/tar-file.ts";
import { checkData, type DataCheckOptions, type DataFault } from "./data-check.ts";

let folder: string;
let good: Uint8Array;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "check-"));
  good = await sharp({ create: { width: 4, height: 4, channels: 3, background: "#123" } })
    .png()
    .toBuffer();
});
afterEach(() => rm(folder, { recursive: true, force: true }));

async function writeTar(
  name: string,
  members: readonly (readonly [string, string | Uint8Array])[],
): Promise<string> {
  const path = join(folder, name);
  const tar = await TarFile.create(path);
  for (const [member, contents] of members) await tar.add(member, contents);
  await tar.close();
  return path;
}

async function check(path: string, options: DataCheckOptions = {}) {
  const faults: DataFault[] = [];
  const result = await checkData(path, { ...options, onFault: (fault) => faults.push(fault) });
  expect(result.faults).toBe(faults.length);
  return { ...result, faults };
}

describe("checkData", () => {
  it("lists every bad sample of every tar", async () => {
    const first = await writeTar("train/a.tar", [
      ["good.json", '{"caption": "fine"}'],
      ["good-0.png", good],
      ["cut.png", good.subarray(0, 50)],
      ["cut.txt", "lost"],
      ["empty.png", good],
      ["empty.txt", " \n"],
      ["null.png", good],
      ["null.json", '{"caption": null}'],
      ["blind.txt", "no picture"],
      ["bitmap.bmp", "BM"],
      ["bitmap.txt", "not read"],
      ["latin.png", good],
      ["latin.txt", Buffer.from("Wüste", "latin1")],
      ["tags.png", good],
      ["tags.txt", "<image_0> is like <image_1>"],
      ["good.cls", "3"],
    ]);
    const { faults, ...counts } = await check(folder);
    expect(faults.map(({ key, reason }) => [key, reason])).toEqual([
      ["bitmap", expect.stringMatching(/^bitmap\.bmp is not taken/)],
      ["good", expect.stringMatching(/next to each other/)],
      ["cut", expect.stringMatching(/^cut\.png: cannot be decoded/)],
      ["empty", "has no caption"],
      ["null", "has no caption"],
      ["blind", "has no picture"],
      ["bitmap", "has no picture"],
      ["latin", expect.stringMatching(/^latin\.txt: is not UTF-8 text \(save it as UTF-8\)$/)],
      ["tags", "names <image_1>, which it does not have"],
    ]);
    expect(new Set(faults.map(({ tar }) => tar))).toEqual(new Set([first]));
    expect(counts).toMatchObject({ tars: 1, samples: 8, pictures: 5, passedOver: { bmp: 1, cls: 1 } });
  });

  it("goes on behind tars that cannot be read, and says why they cannot", async () => {
    const paths = ["a.tar", "b.tar.gz", "c.tar", "d.tar", "e.tar"].map((name) => join(folder, name));
    await writeFile(paths[0]!, "x".repeat(600));
    await writeFile(paths[1]!, gzipSync("x"));
    await symlink("/dev/zero", paths[2]!);
    await writeTar("d.tar", []);
    await writeTar("e.tar", [["a.txt", "text only"]]);
    const { faults, samples } = await check(folder);
    expect(faults).toEqual([
      { tar: paths[0], key: null, reason: expect.stringMatching(/^at byte 0: .*not a tar archive/) },
      { tar: paths[1], key: null, reason: expect.stringMatching(/gzip.*gunzip/) },
      { tar: paths[2], key: null, reason: "is not a regular file" },
      { tar: paths[3], key: null, reason: "holds no samples" },
    ]);
    expect(samples).toBe(1);
  });

  it("finds nothing in sets of pictures and of texts, and reports its progress", async () => {
    await writeTar("pictures/a.tar", [
      ["a.png", good],
      ["a.txt", "one"],
    ]);
    await writeTar("texts/a.tar", [["a.json", '{"text": "words"}']]);
    const progress: string[] = [];
    const { faults } = await check(folder, {
      onProgress: ({ stage, done, total }) => progress.push(`${stage} ${done}/${total}`),
    });
    expect(faults).toEqual([]);
    expect(progress).toEqual([
      ...["indexing 0/2", "indexing 1/2"],
      ...["decoding 0/2", "decoding 1/2", "decoding 2/2"],
    ]);
  });

  it("stops when cancelled, and refuses paths without tars", async () => {
    await writeTar("a.tar", [["a.txt", "x"]]);
    const controller = new AbortController();
    const onProgress = (): void => controller.abort();
    await expect(checkData(folder, { signal: controller.signal, onProgress })).rejects.toThrow(AbortedError);
    await mkdir(join(folder, "none"));
    await expect(checkData(join(folder, "none"))).rejects.toThrow(InputError);
    await expect(checkData(join(folder, "missing"))).rejects.toThrow(InputError);
  });
});
