/** @file What `nextstep inspect` passes and refuses: what drawing would take, within the same bounds. */
import { execFileSync } from "node:child_process";
import { cp, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { deflateSync, gzipSync } from "node:zlib";
import sharp from "sharp";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { NextStepError } from "../errors.ts";
import { MAX_PIXELS } from "../files/decode-image.ts";
import { writePngChunks } from "../formats/png.ts";
import { setPngTexts } from "../formats/png-text.ts";
import { runInspect } from "./inspect.ts";
import { testTerminal } from "./test-terminal.ts";

const ROOT = fileURLToPath(new URL("../../", import.meta.url));
const MODELS = join(ROOT, "test/parity/models");

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "nextstep-inspect-"));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

/** What is printed, and the one line of the error behind it. */
async function inspect(
  path: string,
  json = false,
  subjects = false,
): Promise<{ out: string; fault: string | undefined }> {
  const terminal = testTerminal();
  try {
    await runInspect(path, { json, subjects }, terminal);
    return { out: terminal.written.out(), fault: undefined };
  } catch (error) {
    if (!(error instanceof NextStepError)) throw error;
    expect(error.message).toMatch(/^[^\n]*\([^\n]+\)$/);
    return { out: terminal.written.out(), fault: error.message };
  }
}

async function inspectBytes(name: string, bytes: Uint8Array | string): ReturnType<typeof inspect> {
  const path = join(folder, name);
  await writeFile(path, bytes);
  return inspect(path);
}

/** A PNG whose header may promise anything. */
function png(width: number, height: number, rows: number): Uint8Array {
  const header = Buffer.alloc(13);
  header.writeUInt32BE(width, 0);
  header.writeUInt32BE(height, 4);
  header.set([8, 2, 0, 0, 0], 8);
  const pixels = deflateSync(Buffer.alloc(rows * (1 + 3 * Math.min(width, 64))));
  return writePngChunks([
    { type: "IHDR", data: header },
    { type: "IDAT", data: pixels },
    { type: "IEND", data: new Uint8Array(0) },
  ]);
}

describe("pictures", () => {
  it.each(["jpeg", "webp", "gif", "tiff", "avif", "png"] as const)("are described: %s", async (format) => {
    const picture = sharp({ create: { width: 30, height: 20, channels: 3, background: "#f00" } });
    const { out, fault } = await inspectBytes(`picture.${format}`, await picture.toFormat(format).toBuffer());
    expect(fault).toBeUndefined();
    expect(out).toMatch(/(?:JPEG|WebP|GIF|TIFF|AVIF or HEIF|PNG) picture, 30 x 20/);
  });

  it.each<[string, Uint8Array, RegExp]>([
    ["promises rows that are not there", png(40, 40, 4), /cannot be decoded/],
    ["has a side of 0", png(0, 4, 4), /cannot be decoded/],
    ["has too many pixels", png(60_000, 60_000, 1), new RegExp(`60000x60000 is more than ${MAX_PIXELS}`)],
    ["is a header alone", png(4, 4, 4).subarray(0, 33), /cannot be decoded/],
  ])("are refused: one that %s", async (_what, bytes, message) => {
    expect((await inspectBytes("broken.png", bytes)).fault).toMatch(message);
  });

  it.each(["jpeg", "webp"] as const)("are refused when cut: %s", async (format) => {
    const data = Uint8Array.from({ length: 90_000 }, (_, at) => (at * 7919) % 256);
    const whole = await sharp(data, { raw: { width: 200, height: 150, channels: 3 } })
      .toFormat(format)
      .toBuffer();
    const { fault } = await inspectBytes(`cut.${format}`, whole.subarray(0, whole.length >> 1));
    expect(fault).toMatch(/cannot be decoded/);
  });

  it("whose recipe cannot be drawn again are described, then refused", async () => {
    const text = JSON.stringify({ version: 1, prompt: "a", seed: 1, settings: {} });
    const { out, fault } = await inspectBytes(
      "recipe.png",
      setPngTexts(png(4, 4, 4), [{ keyword: "nextstep", text }]),
    );
    expect(out).toContain("PNG picture, 4 x 4");
    expect(fault).toMatch(/recipe: the recipe's "settings\.cfg" does not fit/);
  });
});

/** A tar of one member whose header was changed; its checksum fits. */
function tar(change: (header: Buffer) => void): Uint8Array {
  const header = Buffer.alloc(512);
  header.write("a.txt", 0);
  header.write("0000644\0", 100);
  header.write("00000000001\0", 124);
  header.write("0", 156);
  header.write("ustar\x0000", 257, "latin1");
  change(header);
  header.fill(0x20, 148, 156);
  const sum = header.reduce((total, byte) => total + byte, 0);
  header.write(`${sum.toString(8).padStart(6, "0")}\0 `, 148);
  return Buffer.concat([header, Buffer.alloc(512, "x"), Buffer.alloc(1024)]);
}

describe("tars", () => {
  it("are described", async () => {
    const { out, fault } = await inspectBytes(
      "set.tar",
      tar(() => {}),
    );
    expect(fault).toBeUndefined();
    expect(out).toContain("members     1 (1 txt)");
  });

  it.each(["set.tar.gz", "set.tgz", "set.tar", "set"])(
    "that are compressed are said to be: %s",
    async (name) => {
      const { fault } = await inspectBytes(name, gzipSync(tar(() => {})));
      expect(fault).toMatch(/: is compressed \(gzip\), .* \(unpack it .*: gunzip FILE\)$/);
    },
  );

  it.each<[string, (header: Buffer) => void, RegExp]>([
    ["absolute names", (header) => header.write("/etc/passwd", 0), /"\/etc\/passwd" would leave its folder/],
    ["names that lead out", (header) => header.write("../../b.txt", 0), /"\.\.\/\.\.\/b\.txt" would leave/],
    ["symbolic links", (header) => header.write("2", 156), /"a\.txt" is a symbolic link/],
    ["hard links", (header) => header.write("1", 156), /"a\.txt" is a hard link/],
    ["devices", (header) => header.write("3", 156), /"a\.txt" is a device/],
    ["more data than there are", (header) => header.write("00000100000\0", 124), /ends within 32768 bytes/],
  ])("are refused: with %s", async (_what, change, message) => {
    expect((await inspectBytes("bad.tar", tar(change))).fault).toMatch(message);
  });
});

describe("JSON", () => {
  it.each([
    ["configs/model.json", "training config of a model"],
    ["configs/autoencoder.json", "training config of an autoencoder"],
    ["models/default/nextstep.json", "settings that a model draws with"],
    ["test/parity/models/v1/tokenizer.json", "tokenizer"],
    ["test/parity/models/v1/tokenizer_config.json", "settings of a tokenizer"],
    ["test/parity/models/v1/special_tokens_map.json", "special tokens"],
    ["test/parity/models/v1/vocab.json", "vocabulary or added tokens"],
    ["test/parity/models/v1/added_tokens.json", "vocabulary or added tokens"],
    ["test/parity/models/v1/generation_config.json", "generation settings of published loaders"],
    ["test/parity/models/v1/model.safetensors.index.json", "safetensors index"],
    ["test/parity/models/v1/config.json", "configuration of a model"],
    ["test/parity/models/v1/vae/config.json", "configuration of an autoencoder"],
  ])("%s is a %s", async (path, kind) => {
    const { out, fault } = await inspect(join(ROOT, path));
    expect(fault).toBeUndefined();
    expect(out.split("\n")[0]).toContain(`: ${kind}`);
  });

  it("is read as its reader would, whatever marks its beginning", async () => {
    const settings = '\uFEFF{"generation": {"cfg": 3}}';
    expect((await inspectBytes("marked.json", settings)).out).toContain("settings that a model draws with");
    expect((await inspectBytes("nextstep.json", '{"editing": {"cgf": 3}}')).fault).toMatch(
      /"cgf" is not a setting/,
    );
    expect((await inspectBytes("train.json", '{"output": "", "data": "a", "steps": 1}')).fault).toMatch(
      /output/,
    );
    expect((await inspectBytes("recipe.json", '{"prompt": "", "seed": -1, "settings": {}}')).fault).toMatch(
      /recipe/,
    );
    expect((await inspectBytes("nextstep.json", '{"editing": {"\\u009b2J": 3}}')).fault).toMatch(
      /^[^\p{Cc}]+$/u,
    );
    expect((await inspectBytes("train.json", '{"phases":[],"autoencoder":{},"\\u001b":1}')).fault).toMatch(
      /^[^\p{Cc}]+$/u,
    );
    expect((await inspectBytes("list.json", "[1]")).fault).toMatch(/no object/);
    expect((await inspectBytes("other.json", '{"\\u001b[2J": {}}')).fault).toMatch(
      /no known kind: its keys are "\\u001b\[2J"/,
    );
  });
});

describe("model folders", () => {
  async function damaged(name: string, change: (json: Record<string, never>) => object): Promise<string> {
    const model = await mkdtemp(join(folder, "model-"));
    await cp(join(MODELS, "v1"), model, { recursive: true });
    const text = await readFile(join(model, name), "utf8").catch(() => "{}");
    await writeFile(join(model, name), JSON.stringify(change(JSON.parse(text))));
    return model;
  }

  it("are refused when their tokenizer cannot be used", async () => {
    const model = await damaged("tokenizer.json", (json) => ({ ...json, model: { type: "Unigram" } }));
    const { out, fault } = await inspect(model);
    expect(out).toContain("model folder, v1 layout");
    expect(fault).toMatch(/tokenizer\.json: not a BPE tokenizer \(use a Qwen2 style tokenizer\)/);
  });

  it.each<[string, (json: Record<string, never>) => object, RegExp]>([
    [
      "merges whose result is not in the vocabulary",
      ({ model, ...json }: { model?: { merges: unknown[]; vocab: object } }) => ({
        ...json,
        model: { ...model, merges: [...(model?.merges ?? []), ["zzz", "zzz"]] },
      }),
      /tokenizer\.json: .*zzz/,
    ],
    [
      "a split pattern of its own",
      (json) => ({
        ...json,
        pre_tokenizer: {
          type: "Sequence",
          pretokenizers: [
            { type: "Split", pattern: { Regex: "(?:\\p{L}+)+$|." }, behavior: "Isolated", invert: false },
            { type: "ByteLevel", add_prefix_space: false, use_regex: false },
          ],
        },
      }),
      /tokenizer\.json: .*split pattern/,
    ],
    ["nothing in it", () => ({}), /tokenizer\.json/],
  ])("are refused when their tokenizer has %s", async (_what, change, message) => {
    const { out, fault } = await inspect(await damaged("tokenizer.json", change));
    expect(out).toContain("model folder, v1 layout");
    expect(fault).toMatch(message);
  });

  it("tell what their model was trained on, all of it when asked", async () => {
    const trained = {
      sizes: [
        [128, 96],
        [16, 16],
      ],
      subjects: ["red apple", "d\u001bog"],
      words: ["a", "red"],
    };
    const path = await damaged("nextstep.json", () => ({ trained }));
    const { out, fault } = await inspect(path);
    expect(fault).toBeUndefined();
    expect(out).toMatch(
      /Trained on:\n {2}sizes +96 x 128, 16 x 16\n {2}words +2\n {2}subjects +2 \(--subjects/,
    );
    expect(out).not.toContain("red apple");
    expect((await inspect(path, false, true)).out).toMatch(/subjects +2\n {4}red apple\n {4}d\\u\{1b\}og\n/);
    const json = JSON.parse((await inspect(path, true)).out);
    expect(json.trained).toEqual({ ...trained, words: 2 });
    const wrong = await damaged("nextstep.json", () => ({ trained: { sizes: [[0, 0]] } }));
    expect((await inspect(wrong)).fault).toMatch(/nextstep\.json: .*\[0,0\].* does not fit/);
    expect((await inspect(join(path, "nextstep.json"))).out).toContain("settings that a model draws with");
  });

  it("are refused when their settings cannot be used", async () => {
    const { fault } = await inspect(await damaged("nextstep.json", () => ({ generation: { steps: 0 } })));
    expect(fault).toMatch(/nextstep\.json: 0 is not allowed/);
  });

  it("are passed as published", async () => {
    for (const name of ["v1", "v1.1", "train"]) {
      expect((await inspect(join(MODELS, name))).fault).toBeUndefined();
    }
  });
});

describe("what is no file", () => {
  it.skipIf(process.platform === "win32")("is refused unread", async () => {
    const pipe = join(folder, "pipe");
    execFileSync("mkfifo", [pipe]);
    const socket = join(folder, "socket");
    const server = createServer().listen(socket);
    for (const path of [pipe, socket, "/dev/zero"]) {
      expect((await inspect(path)).fault).toMatch(/is not a regular file/);
    }
    await new Promise((resolve) => server.close(resolve));
    expect((await inspect(folder)).fault).toMatch(/no config\.json/);
  });
});

it("prints no name that steers the terminal, as text, as JSON or in errors", async () => {
  const picture = setPngTexts(png(4, 4, 4), [
    { keyword: "parameters", text: "a\u001b[2J\u009b\u202e\nSteps: 1, Seed: 2, Size: 3x3" },
  ]);
  const path = join(folder, "name\u001b]0;x.png");
  await writeFile(path, picture);
  for (const json of [false, true]) {
    const { out, fault } = await inspect(path, json);
    expect(fault).toBeUndefined();
    expect(out.replaceAll("\n", "")).toMatch(/^[^\p{Cc}\p{Cf}]*$/u);
    if (json) expect(JSON.parse(out).parameters.prompt).toBe("a\u001b[2J\u009b\u202e");
  }
});

it("shows what drawing with a model takes, in text and JSON", async () => {
  const model = join(MODELS, "v1.1");
  const { out } = await inspect(model);
  const [, width, megabytes] =
    /^Memory for a picture of (\d+) x \d+:\n {2}opening {2}about \d+ MB\n {2}drawing {2}about (\d+) MB$/m.exec(
      out,
    ) ?? [];
  const { memory } = JSON.parse((await inspect(model, true)).out);
  expect(memory).toMatchObject({ width: Number(width), repacked: false });
  expect(Math.ceil(memory.drawing / 1e6)).toBe(Number(megabytes));
  expect(memory.peak).toBe(Math.max(memory.opening, memory.drawing));
});
