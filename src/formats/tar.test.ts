/** @file Tar index, samples and writer; hand-made headers for what the writer never writes. */

import { mkdtemp, readdir, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { DataFormatError, InputError, UnsupportedError } from "../errors.ts";
import { FileSource } from "../files/file-source.ts";
import { TarFile } from "../files/tar-file.ts";
import { MemorySource } from "./byte-source.ts";
import { readTarIndex } from "./tar.ts";
import { groupTarSamples } from "./tar-sample.ts";

const encoder = new TextEncoder();
const fixtures = new URL("../../test/formats/", import.meta.url);

interface Member {
  readonly name?: string;
  readonly type?: string;
  readonly data?: string | Uint8Array;
  readonly size?: string;
  readonly magic?: string;
  readonly prefix?: string;
}

/** A member with a right checksum, field by field. */
function member(fields: Member): Uint8Array {
  const data =
    typeof fields.data === "string" ? encoder.encode(fields.data) : (fields.data ?? new Uint8Array(0));
  const block = new Uint8Array(512 + Math.ceil(data.length / 512) * 512);
  const put = (at: number, text: string): void => block.set(encoder.encode(text), at);
  put(0, fields.name ?? "name.txt");
  put(124, fields.size ?? data.length.toString(8).padStart(11, "0"));
  put(156, fields.type ?? "0");
  put(257, fields.magic ?? "ustar\x0000");
  put(345, fields.prefix ?? "");
  put(148, "        ");
  put(
    148,
    block
      .subarray(0, 512)
      .reduce((a, b) => a + b, 0)
      .toString(8)
      .padStart(6, "0"),
  );
  block.set(data, 512);
  return block;
}

/** A pax record; its length counts its own digits. */
function paxRecord(key: string, value: string): string {
  const rest = ` ${key}=${value}\n`;
  let length = rest.length;
  while (String(length).length + rest.length !== length) length++;
  return `${length}${rest}`;
}

function archive(...blocks: Uint8Array[]): MemorySource {
  const all = [...blocks, new Uint8Array(1024)];
  const bytes = new Uint8Array(all.reduce((sum, b) => sum + b.length, 0));
  let at = 0;
  for (const block of all) {
    bytes.set(block, at);
    at += block.length;
  }
  return new MemorySource(bytes, "test.tar");
}

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "tar-"));
});
afterAll(() => rm(folder, { recursive: true }));

describe("readTarIndex", () => {
  it("reads what the writer writes, deterministically, through a file", async () => {
    const long = `${"folder/".repeat(18)}${"n".repeat(60)}.json`;
    const contents: [string, string][] = [
      ["a.json", '{"caption":"ü"}'],
      ["a-0.png", "x".repeat(512)],
      [long, ""],
      ["b.txt", "y".repeat(513)],
    ];
    const files: Uint8Array[] = [];
    for (const name of ["one.tar", "two.tar"]) {
      const path = join(folder, name);
      const writer = await TarFile.create(path);
      for (const [member, text] of contents) await writer.add(member, text);
      expect(await readdir(folder)).not.toContain(name);
      await writer.close();
      files.push(await readFile(path));
    }
    expect(files[0]).toEqual(files[1]);
    expect(files[0]!.length % 512).toBe(0);
    const source = await FileSource.open(join(folder, "one.tar"));
    const entries = await readTarIndex(source);
    const read: [string, string][] = [];
    for (const entry of entries) {
      read.push([entry.name, new TextDecoder().decode(await source.read(entry.offset, entry.size))]);
    }
    expect(read).toEqual(contents);
    await source.close();
  });

  it.each(["pax", "gnu", "ustar"])(
    "reads a %s archive of GNU tar with long names and folders",
    async (format) => {
      const source = await FileSource.open(fileURLToPath(new URL(`${format}.tar`, fixtures)));
      const contents: [string, string][] = [];
      for (const { name, offset, size } of await readTarIndex(source)) {
        contents.push([name, new TextDecoder().decode(await source.read(offset, size))]);
      }
      await source.close();
      expect(contents).toEqual(
        format === "ustar"
          ? [[`./${"d".repeat(90)}/sub/file-with-a-name.txt`, "prefixed"]]
          : [
              [`./sub/${"l".repeat(140)}.txt`, "long name"],
              ["./ä.txt", "umlaut"],
            ],
      );
    },
  );

  it("honours pax path and size, the ustar prefix and base-256 sizes, and no prefix for GNU headers", async () => {
    const pax = paxRecord("path", "other.json") + paxRecord("size", "3") + paxRecord("comment", "a=b\nc");
    const base256 = member({ name: "big.txt", data: "abcd" });
    base256.fill(0, 124, 136);
    base256[124] = 0x80;
    base256[135] = 4;
    base256.set(encoder.encode("        "), 148);
    base256.set(
      encoder.encode(
        base256
          .subarray(0, 512)
          .reduce((a, b) => a + b, 0)
          .toString(8)
          .padStart(6, "0"),
      ),
      148,
    );
    const entries = await readTarIndex(
      archive(
        member({ type: "x", data: pax }),
        member({ name: "placeholder", data: "abc", size: "00000000000" }),
        member({ name: "x.txt", prefix: "p" }),
        member({ name: "y.txt", prefix: "12345", magic: "ustar  " }),
        base256,
        member({ type: "5", name: "dir/" }),
        member({ type: "g", data: paxRecord("path", "no") }),
        member({ name: "last.txt" }),
      ),
    );
    expect(entries.map(({ name, size }) => `${name}:${size}`)).toEqual([
      "other.json:3",
      "p/x.txt:0",
      "y.txt:0",
      "big.txt:4",
      "last.txt:0",
    ]);
  });

  it("takes a first name that begins as a compressed file does", async () => {
    expect(await readTarIndex(archive(member({ name: "BZh91.jpg" })))).toHaveLength(1);
  });

  it("takes an empty file and a missing end mark, and stops at a zero block", async () => {
    expect(await readTarIndex(new MemorySource(new Uint8Array(0)))).toEqual([]);
    expect(await readTarIndex(new MemorySource(member({ data: "a" })))).toHaveLength(1);
    expect(await readTarIndex(archive(member({}), new Uint8Array(512), encoder.encode("junk")))).toHaveLength(
      1,
    );
  });

  it.each<[string, Uint8Array[], RegExp]>([
    ["a wrong checksum", [member({}).fill(1, 0, 1)], /checksum/],
    ["a size past the end", [member({ size: "77777777777" })], /ends within/],
    ["a negative base-256 size", [new Uint8Array(member({})).fill(0xff, 124, 136)], /out of range|checksum/],
    ["a size that is not octal", [member({ size: "0000000009z" })], /octal/],
    ["a huge extension", [member({ type: "L", data: new Uint8Array(70_000) })], /too large/],
    ["a bad pax record", [member({ type: "x", data: "99 path=a\n" }), member({})], /malformed/],
    ["a pax record of length zero", [member({ type: "x", data: "0 path=a\n" }), member({})], /malformed/],
    ["a bad pax size", [member({ type: "x", data: paxRecord("size", "-1") }), member({})], /not a number/],
    ["no name", [member({ name: "" })], /no name/],
    ["an absolute name", [member({ name: "/etc/a.txt" })], /"\/etc\/a\.txt" would leave its folder/],
    ["a name on a drive", [member({ name: "C:\\a.txt" })], /would leave/],
    ["a step upwards", [member({ name: "a/../../b.txt" })], /would leave/],
    [
      "a step upwards in a pax path",
      [member({ type: "x", data: paxRecord("path", "..") }), member({})],
      /leave/,
    ],
    ["a step upwards from a prefix", [member({ prefix: "..", name: "a.txt" })], /would leave/],
    ["a symbolic link", [member({ type: "2", name: "a.jpg" })], /"a\.jpg" is a symbolic link/],
    ["a hard link", [member({ type: "1", name: "a.jpg" })], /hard link.*--hard-dereference/],
    ["a device", [member({ type: "3", name: "zero" })], /device/],
    ["a name that steers terminals", [member({ name: "\x1b[2Ja.txt" })], /"\\u001b\[2Ja\.txt" has control/],
    [
      "a name in Latin-1",
      [member({ type: "L", data: Buffer.from("ä.txt", "latin1") }), member({})],
      /not UTF-8/,
    ],
    ["a name of many characters", [member({ type: "L", data: "n".repeat(5000) }), member({})], /5000 char/],
  ])("refuses %s", async (_what, blocks, message) => {
    const failure = readTarIndex(archive(...blocks));
    await expect(failure).rejects.toThrow(DataFormatError);
    await expect(failure).rejects.toThrow(message);
  });

  it.each<[string, string | readonly number[]]>([
    ["gunzip", [0x1f, 0x8b, 8, 0]],
    ["bunzip2", "BZh91AY&SY"],
    ["unxz", "\xfd7zXZ\0"],
    ["unzstd", [0x28, 0xb5, 0x2f, 0xfd]],
    ["unlz4", [0x04, 0x22, 0x4d, 0x18]],
    ["unzip", "PK\x03\x04"],
    ["7z", "7z\xbc\xaf\x27\x1c"],
  ])("tells to use %s", async (command, magic) => {
    const start = typeof magic === "string" ? Buffer.from(magic, "latin1") : Uint8Array.from(magic);
    for (const length of [40, 2048]) {
      const bytes = new Uint8Array(length);
      bytes.set(start);
      const failure = readTarIndex(new MemorySource(bytes, "set.tar"));
      await expect(failure).rejects.toThrow(DataFormatError);
      await expect(failure).rejects.toThrow(/^set\.tar: is compressed \(.*\), and tars are read in place/);
      await expect(failure).rejects.toThrow(command);
    }
  });

  it("refuses truncation anywhere but between members, and sparse members", async () => {
    const whole = member({ data: "abc" });
    for (const length of [1, 511, 512, 514]) {
      await expect(readTarIndex(new MemorySource(whole.slice(0, length)))).rejects.toThrow(DataFormatError);
    }
    await expect(readTarIndex(archive(member({ type: "S" })))).rejects.toThrow(UnsupportedError);
    const sparse = member({ type: "x", data: paxRecord("GNU.sparse.major", "1") });
    await expect(readTarIndex(archive(sparse, member({})))).rejects.toThrow(UnsupportedError);
  });
});

describe("TarWriter", () => {
  it("refuses names that do not fit and leaves nothing after discard", async () => {
    const path = join(folder, "refused", "x.tar");
    const writer = await TarFile.create(path);
    for (const name of ["", "dir/", "a\0b", "x".repeat(101), `${"p".repeat(156)}/x`]) {
      await expect(writer.add(name, "")).rejects.toThrow(InputError);
    }
    await writer.discard();
    expect(await readdir(join(folder, "refused"))).toEqual([]);
  });
});

describe("groupTarSamples", () => {
  const group = (...names: string[]): unknown[] =>
    groupTarSamples(names.map((name, i) => ({ name, offset: i, size: 1 }))).map((sample) => [
      sample.key,
      sample.json?.name,
      sample.text?.name,
      sample.images.map((image) => image.name),
      ...(sample.others.length > 0 ? [sample.others.map((other) => other.name)] : []),
    ]);

  it("groups plain WebDataset members up to the first dot", () => {
    expect(group("d/a.jpg", "d/a.txt", "d/b.png", "d/b.input.png", "d/b.json", "d/b.cls")).toEqual([
      ["d/a", undefined, "d/a.txt", ["d/a.jpg"]],
      ["d/b", "d/b.json", undefined, ["d/b.png", "d/b.input.png"], ["d/b.cls"]],
    ]);
  });

  it("gathers numbered pictures of a json, in numeric order, from either side", () => {
    const json = ["k", "k.json", undefined, ["k-0.png", "k-2.jpg", "k-10.png"]];
    expect(group("k.json", "k-0.png", "k-10.png", "k-2.jpg", "z.json")).toEqual([
      json,
      ["z", "z.json", undefined, []],
    ]);
    expect(group("k-10.png", "k-2.jpg", "k.json", "k-0.png")).toEqual([json]);
  });

  it("keeps numbered samples of plain sets apart", () => {
    expect(group("img-0.jpg", "img-0.txt", "img-1.jpg", "img-1.txt").length).toBe(2);
    expect(group("img.jpg", "img.txt", "img-1.jpg", "img-1.txt").length).toBe(2);
    expect(group("img-0.jpg", "img-1.jpg", "other.txt").length).toBe(3);
    expect(group("img-0.jpg", "img-1.jpg", "img.jpg").length).toBe(3);
    expect(group("a.jfif", "a.txt")).toEqual([["a", undefined, "a.txt", ["a.jfif"]]]);
    expect(group("-1.jpg", ".hidden", "noextension", "d/.x.txt").length).toBe(1);
  });

  it("stays linear on a long run that joins nothing", () => {
    const entries = Array.from({ length: 200_000 }, (_, i) => ({ name: `a-${i}.png`, offset: 0, size: 0 }));
    const start = process.cpuUsage();
    expect(groupTarSamples(entries).length).toBe(200_000);
    const { user, system } = process.cpuUsage(start);
    // Its own time: what else the machine does is not its fault.
    expect((user + system) / 1e6).toBeLessThan(5);
  });
});
