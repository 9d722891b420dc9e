/** @file Tars of training samples. */

import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { TarFile } from "../../src/files/tar-file.ts";
import { readTarIndex } from "../../src/formats/tar.ts";
import { groupTarSamples } from "../../src/formats/tar-sample.ts";

import { type FuzzTarget, FuzzViolation, fixture, words } from "./target.ts";
import { CountingSource } from "./weight-targets.ts";

const utf8 = new TextEncoder();

export async function tar(folder: string): Promise<FuzzTarget> {
  const path = join(folder, "seed.tar");
  const writer = await TarFile.create(path);
  await writer.add("a.json", '{"caption":"<image_0>"}');
  await writer.add("a-0.png", new Uint8Array(600));
  await writer.add("a-1.png", "");
  await writer.add("b.jpg", "jpg");
  await writer.add("b.txt", "text");
  await writer.close();
  return {
    name: "tar",
    seeds: [
      await readFile(path),
      ...(await Promise.all(["pax", "gnu", "ustar"].map((name) => fixture(`test/formats/${name}.tar`)))),
    ],
    words: words(
      "ustar\x0000",
      "ustar  \0",
      "x",
      "L",
      "g",
      "S",
      "\x80\0\0\0\0\0\0\0\0\0\0\x01",
      "16 path=a/b.txt\n",
      "12 size=100\n",
      "-1.png",
    ),
    run: async (bytes) => {
      const source = new CountingSource(bytes);
      const entries = await readTarIndex(source);
      if (source.reads > bytes.length / 256 + 2) throw new FuzzViolation(`${source.reads} reads`);
      for (const { name, offset, size } of entries) {
        if (offset + size > bytes.length) throw new FuzzViolation(`"${name}" lies past the end`);
        await source.read(offset, size);
      }
      const samples = groupTarSamples(entries);
      const members = samples.flatMap((s) => [
        ...s.images,
        ...s.others,
        ...(s.json ? [s.json] : []),
        ...(s.text ? [s.text] : []),
      ]);
      if (new Set(members).size !== members.length) throw new FuzzViolation("a member is in two samples");
    },
    repair: repairTar,
  };
}

/** Fresh checksums for every block that looks like a header. */
function repairTar(bytes: Uint8Array): Uint8Array {
  for (let at = 0; at + 512 <= bytes.length; at += 512) {
    const header = bytes.subarray(at, at + 512);
    if (Buffer.from(header.subarray(257, 262)).toString("latin1") !== "ustar") continue;
    header.fill(0x20, 148, 156);
    const sum = header.reduce((a, b) => a + b, 0);
    header.set(utf8.encode(`${sum.toString(8).padStart(6, "0")}\0 `), 148);
  }
  return bytes;
}
